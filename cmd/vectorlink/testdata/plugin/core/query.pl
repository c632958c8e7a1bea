:- module(query, [resolve_absolute_string_descriptor/2]).

% What the plugin uses of TerminusDB's core(query).
resolve_absolute_string_descriptor(Path, branch_descriptor{repository_descriptor: Repository, branch_name: Branch}) :-
    Repository = repository_descriptor{database_descriptor: Database, repository_name: Local},
    Database = database_descriptor{organization_name: Organization, database_name: Name},
    atomic_list_concat([Organization, Name, Local, branch, Branch], /, Atom),
    atom_string(Atom, Path).
