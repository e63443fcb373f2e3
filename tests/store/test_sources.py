from asi_arch.records import Campaign, Dataset, Entry
from asi_arch.store import Store

DATASET = Dataset(
    name="stdlib",
    sha256="ab",
    train_tokens=12_000_000_000,
    tokenizer="gpt2",
    vocab_size=50_257,
    train_documents=12_000_000,
    heldout_documents=1,
    heldout_tokens=600_000,
    heldout_bytes=2_500_000,
    references={"trigram": 1.89, "gzip": 1.35},
)


def test_campaigns_on_the_same_data_share_it(store: Store, campaign: Campaign) -> None:
    second = store.create_campaign("second", 0, {}, "")
    assert store.dataset(campaign.id) is None
    store.save_dataset(campaign.id, DATASET)
    store.save_dataset(campaign.id, DATASET)
    store.save_dataset(second.id, DATASET)

    assert store.dataset(campaign.id) == store.dataset(second.id) == DATASET
    assert store.info().rows["datasets"] == 1


def test_another_split_is_another_data_set(store: Store, campaign: Campaign) -> None:
    store.save_dataset(campaign.id, DATASET)
    other = DATASET.model_copy(update={"heldout_tokens": 1})
    store.save_dataset(campaign.id, other)
    assert store.dataset(campaign.id) == other
    assert store.info().rows["datasets"] == 2


def test_knowledge_is_replaced_by_id(store: Store) -> None:
    one = Entry(
        id="b", title="T", authors="A", year=2024, tags=("delta",), related=("a",), text="old"
    )
    two = one.model_copy(update={"id": "a", "tags": ()})
    store.save_knowledge([one, two])
    new = one.model_copy(update={"text": "new"})
    store.save_knowledge([new])
    assert store.knowledge() == [two, new]
