from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from asi_arch.errors import BackendError, UserError
from asi_arch.knowledge import Library, load_entries
from asi_arch.knowledge.embed import OpenAIEmbedder
from asi_arch.records import Embedding, Entry
from asi_arch.store import Store
from asi_arch.testing import LLMServer, llm_server
from asi_arch.testing.faults import Fault

ENTRIES = load_entries()[:70]
EMPTY: dict[str, Any] = {"object": "list", "model": "m", "data": []}


NO_VECTORS = "gave no vectors; is 'm' a model of embeddings"


@pytest.fixture(autouse=True)
def no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def server() -> Iterator[LLMServer]:
    with llm_server(lambda messages: "") as server:
        yield server


def sizes(server: LLMServer) -> list[int]:
    """How many texts each request had."""
    return [len(request.body["input"]) for request in server.requests]


def test_the_same_text_is_nearest(server: LLMServer) -> None:
    embedder = OpenAIEmbedder("m", server.url)
    entry = ENTRIES[3]
    query = f"{entry.title}\n{', '.join(entry.tags)}\n{entry.text}"
    near = embedder.similarities(query, ENTRIES)
    assert near[3] == max(near) == pytest.approx(1.0)
    assert sizes(server) == [1, 64, 6]
    assert server.requests[0].body["model"] == "m"


def test_a_second_search_embeds_only_the_query(server: LLMServer) -> None:
    library = Library(ENTRIES, OpenAIEmbedder("m", server.url))
    assert library.search("delta rule") and library.search("decay")
    assert sizes(server) == [1, 64, 6, 1]


def test_vectors_are_kept_in_the_store(server: LLMServer, tmp_path: Path) -> None:
    with Store.open(str(tmp_path / "a.db")) as store:
        store.save_knowledge(ENTRIES)
        first = OpenAIEmbedder("m", server.url, store).similarities("decay", ENTRIES)
    with Store.open(str(tmp_path / "a.db")) as store:
        embedder = OpenAIEmbedder("m", server.url, store)
        assert embedder.similarities("decay", ENTRIES) == first
        assert sizes(server) == [1, 64, 6, 1]
        changed = ENTRIES[0].model_copy(update={"text": "new"})
        embedder.similarities("decay", [changed, *ENTRIES[1:]])
        assert sizes(server)[4:] == [1, 1]
        OpenAIEmbedder("other", server.url, store).similarities("decay", ENTRIES)
        assert sizes(server)[6:] == [1, 64, 6]


def test_vectors_of_another_size_are_made_again(server: LLMServer, tmp_path: Path) -> None:
    with Store.open(str(tmp_path / "a.db")) as store:
        OpenAIEmbedder("m", server.url, store).similarities("decay", ENTRIES[:2])
        digests = {id: known.digest for id, known in store.embeddings("m").items()}
        store.save_embeddings(
            "m", {id: Embedding(digest=d, vector=(1.0,)) for id, d in digests.items()}
        )
        OpenAIEmbedder("m", server.url, store).similarities("decay", ENTRIES[:2])
        assert sizes(server) == [1, 2, 1, 2]


def test_fusion_with_words(server: LLMServer) -> None:
    plain = Entry(id="note", title="Zebra", authors="", year=0, tags=(), text="crossing")
    found = Library([*ENTRIES, plain], OpenAIEmbedder("m", server.url)).search("zebra crossing")
    assert found[0] == plain and len(found) == 5


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        (Fault(status=401), "refused the key; set OPENAI_API_KEY"),
        (Fault(status=404), "has no embeddings, or no model 'm'"),
        (Fault(status=400), "gave no embeddings"),
        ("garbage", NO_VECTORS),
        ("truncate", "cannot be reached|gave no vectors"),
        (Fault(body=EMPTY), NO_VECTORS),
        (Fault(body={"error": "x"}), NO_VECTORS),
        (Fault(body=EMPTY | {"data": "x"}), NO_VECTORS),
        (Fault(body=EMPTY | {"data": [{"embedding": []}]}), NO_VECTORS),
        (Fault(body=EMPTY | {"data": [{"embedding": "text"}]}), NO_VECTORS),
        (Fault(body=EMPTY | {"data": [{"embedding": [1.0]}] * 2}), NO_VECTORS),
    ],
)
def test_a_server_in_trouble_is_a_sentence(fault: Any, sentence: str) -> None:
    with llm_server(lambda messages: "", faults=[fault] * 9) as server:
        with pytest.raises(BackendError, match=sentence) as caught:
            OpenAIEmbedder("m", server.url).similarities("decay", ENTRIES[:1])
        assert server.url in str(caught.value)


def test_entries_and_queries_have_vectors_of_one_size() -> None:
    short = Fault(body=EMPTY | {"data": [{"embedding": [1.0]}]})
    with (
        llm_server(lambda messages: "", faults=[200, short]) as server,
        pytest.raises(BackendError, match=NO_VECTORS),
    ):
        OpenAIEmbedder("m", server.url).similarities("decay", ENTRIES[:1])


def test_a_vector_of_zeros_is_near_nothing() -> None:
    zeros = Fault(body=EMPTY | {"data": [{"embedding": [0.0] * 64}]})
    with llm_server(lambda messages: "", faults=[zeros]) as server:
        assert OpenAIEmbedder("m", server.url).similarities("decay", ENTRIES[:2]) == [0.0, 0.0]


def test_no_server_is_a_sentence() -> None:
    embedder = OpenAIEmbedder("m", "http://127.0.0.1:9/v1")
    with pytest.raises(BackendError, match="cannot be reached; start the server"):
        embedder.similarities("decay", ENTRIES[:1])


def test_wrong_settings() -> None:
    with pytest.raises(UserError, match="'here' is not valid; write it as http"):
        OpenAIEmbedder("m", "here")
    with pytest.raises(UserError, match="OPENAI_API_KEY is not set"):
        OpenAIEmbedder("m")


def test_base_url_and_key_from_the_environment(
    server: LLMServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", server.url)
    monkeypatch.setenv("OPENAI_API_KEY", "k3y")
    OpenAIEmbedder("m").similarities("decay", ENTRIES[:1])
    assert server.requests[0].headers["authorization"] == "Bearer k3y"
