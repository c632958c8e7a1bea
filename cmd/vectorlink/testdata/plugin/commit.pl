% Stands for TerminusDB: loads the plugin, calls its hook as a commit on the
% branches main and fan does, and ends when the threads of the plugin have.
%
%   swipl -g main -t halt commit.pl PLUGIN CORE

:- multifile user:file_search_path/2.
:- dynamic user:file_search_path/2.

main :-
    current_prolog_flag(argv, [Plugin, Core]),
    assertz(user:file_search_path(core, Core)),
    load_files(Plugin, []),
    branch("main", Main),
    branch("fan", Fan),
    plugins:post_commit_hook([], commit{
        data_versions: [Main-data_version(branch, "abc"),
                        system_descriptor{}-data_version(system, "x"),
                        Fan-data_version(branch, "def")],
        inserts: 3,
        deletes: 0 }),
    format("hooked~n"),
    wait.

branch(Name, branch_descriptor{
    repository_descriptor: repository_descriptor{
        database_descriptor: database_descriptor{organization_name: "admin", database_name: "star_wars"},
        repository_name: "local" },
    branch_name: Name }).

wait :-
    findall(T, (thread_property(T, status(running)), T \== main, T \== gc), []),
    !.
wait :-
    sleep(0.01),
    wait.
