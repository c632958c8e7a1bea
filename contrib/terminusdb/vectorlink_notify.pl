:- module('plugins/vectorlink_notify', []).

% A TerminusDB plugin that tells a vectorlink server of every commit, so that it
% looks at the branch at once instead of at its next poll. See README.md.
%
% It asks nothing of the commit and waits for nothing: the message goes out on a
% thread of its own, and whatever goes wrong with it ends in the server's log.

:- use_module(library(http/http_client)).
:- use_module(library(http/http_json)).
:- use_module(library(lists)).
:- use_module(core(query)).
:- use_module(core(util)).

:- multifile plugins:post_commit_hook/2.

plugins:post_commit_hook(_Validations, Meta) :-
    forall('plugins/vectorlink_notify':moved_branch(Meta, Path, Commit),
           thread_create('plugins/vectorlink_notify':tell(Path, Commit), _Thread, [detached(true)])).

% moved_branch(+Meta, -Path, -Commit): the branch at Path, such as
% admin/star_wars/local/branch/main, is now at Commit.
moved_branch(Meta, Path, Commit) :-
    getenv('VECTORLINK_NOTIFY_URL', _),
    get_dict(data_versions, Meta, Versions),
    member(Descriptor-data_version(branch, Commit), Versions),
    is_dict(Descriptor, branch_descriptor),
    resolve_absolute_string_descriptor(Path, Descriptor).

tell(Path, Commit) :-
    % The thread must not write to the answer of the request that committed.
    set_prolog_IO(user_input, user_output, user_error),
    catch(post(Path, Commit),
          Error,
          format(user_error, "vectorlink_notify: ~w was not told of: ~q~n", [Path, Error])).

post(Path, Commit) :-
    getenv('VECTORLINK_NOTIFY_URL', Url),
    credentials(Credentials),
    http_post(Url,
              json(json([path=Path, branch_head=Commit])),
              _Reply,
              [timeout(5)|Credentials]).

credentials([authorization(basic(User, Secret))]) :-
    getenv('VECTORLINK_NOTIFY_SECRET', Secret),
    !,
    (   getenv('VECTORLINK_NOTIFY_USER', User)
    ->  true
    ;   User = admin
    ).
credentials([]).
