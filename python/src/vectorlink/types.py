"""What answers hold. They are dictionaries, and may have more members than are named here."""

from __future__ import annotations

from typing import Any, TypedDict

from .vectors import Key


class Neighbor(TypedDict, total=False):
    """Is a key near to what a space was asked about."""

    key: Key
    distance: float
    score: float
    fields: dict[str, Any]


class Record(TypedDict, total=False):
    """Is what a space holds under a key."""

    key: Key
    vector: list[float]
    fields: dict[str, Any]
    text: str


class SpaceInfo(TypedDict, total=False):
    """Is the shape and state of a space."""

    name: str
    dims: int
    metric: str
    normalize: bool
    fields: dict[str, str]
    keys: int
    branch: str
    head: str | None
    pending: int
    frozen: bool


class SpaceCommit(TypedDict, total=False):
    """Is a commit of a space, as its log tells of it."""

    commit: str
    parent: str | None
    time: str
    author: str
    message: str
    set: int
    deleted: int
    keys: int


class Moved(TypedDict):
    """Is a key whose vector is another, and how far it moved."""

    key: Key
    distance: float


class SpaceDiff(TypedDict):
    """Is what differs between two commits of a space."""

    added: list[Key]
    removed: list[Key]
    changed: list[Moved]


class BranchInfo(TypedDict, total=False):
    """Is a branch of a space."""

    branch: str
    head: str | None
    pending: int


class Chunk(TypedDict, total=False):
    """Is the part of a document that matched best."""

    index: int
    count: int
    token_start: int
    doc_token_len: int
    location: float
    snippet: str


class Hit(TypedDict, total=False):
    """Is a document that a search found."""

    id: str
    distance: float
    score: float
    found: str
    matched: list[str]
    chunk: Chunk
    text: str
    text_cut: bool
    fields: dict[str, Any]
    vector: list[float]
    explain: dict[str, float]


class Duplicate(TypedDict, total=False):
    """Is a group or a pair of documents that are one and the same, or nearly so."""

    group: list[dict[str, str]]
    pair: list[dict[str, str]]
    distance: float
    score: float
    mean_score: float
    representative: str
    pair_count: int
    pairs: list[dict[str, Any]]


class Cluster(TypedDict):
    """Is a group of documents that are alike, with the words that tell it from others."""

    id: str
    size: int
    words: list[str]
    typical: list[str]
    cohesion: float


class Clusters(TypedDict, total=False):
    """Is how a commit's documents fall into groups."""

    commit: str
    documents: int
    count: int
    clusters: list[Cluster]
    ungrouped: int


class ChangedDocument(TypedDict, total=False):
    """Is a document that two commits do not have alike."""

    id: str
    change: str
    distance: float
    fields_only: bool
    before: str
    after: str


class Diff(TypedDict):
    """Is what differs between two commits of a database."""

    added: int
    removed: int
    changed: int
    documents: list[ChangedDocument]


class Indexed(TypedDict, total=False):
    """Is what became of a task: what a commit holds, and what it could not take."""

    status: str
    task: str
    percentage: float
    commit: str
    documents: int
    indexed_documents: int
    deleted: int
    embedded: int
    reused: int
    tokens: int
    skipped: list[dict[str, Any]]
    skipped_total: int
    warnings: list[str]


class Document(TypedDict, total=False):
    """Is a document as it stands at a commit."""

    id: str
    type: str
    text: str
    doc_token_len: int
    fields: dict[str, Any]
    chunks: list[dict[str, int]]


class Commit(TypedDict, total=False):
    """Is an indexed commit of a database."""

    commit: str
    base: str
    branch: str
    kind: str
    version: int
    created: str
    documents: int
    indexed_documents: int
    deleted: int
    embedded: int
    reused: int
    tokens: int
    author: str
    message: str
    committed: str
