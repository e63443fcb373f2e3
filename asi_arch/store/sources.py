"""What a campaign draws on: its data set and the knowledge base."""

from collections.abc import Mapping, Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from asi_arch.errors import UserError
from asi_arch.records import Dataset, Embedding, Entry
from asi_arch.store.campaigns import find_campaign
from asi_arch.store.tables import DatasetRow, EmbeddingRow, KnowledgeRow


def save_dataset(session: Session, campaign_id: int, dataset: Dataset) -> None:
    """Say what a campaign trains on; campaigns on the same data share one row."""
    campaign = find_campaign(session, campaign_id)
    key = dataset.model_dump(include={"name", "sha256", "train_tokens", "heldout_tokens"})
    row = session.scalars(select(DatasetRow).filter_by(**key)).one_or_none()
    if row is None:
        described = dataset.model_dump(exclude={"references"})
        row = DatasetRow(**described, reference_losses=dataset.references)
        session.add(row)
        session.flush()
    campaign.dataset_id = row.id


def get_dataset(session: Session, campaign_id: int) -> Dataset | None:
    """Return what a campaign trains on, None before it is known."""
    row = session.get(DatasetRow, find_campaign(session, campaign_id).dataset_id or 0)
    return None if row is None else _to_dataset(row)


def _to_dataset(row: DatasetRow) -> Dataset:
    return Dataset(
        name=row.name,
        sha256=row.sha256,
        tokenizer=row.tokenizer,
        vocab_size=row.vocab_size,
        train_documents=row.train_documents,
        heldout_documents=row.heldout_documents,
        train_tokens=row.train_tokens,
        heldout_tokens=row.heldout_tokens,
        heldout_bytes=row.heldout_bytes,
        references=row.reference_losses,
    )


def save_knowledge(session: Session, entries: Sequence[Entry]) -> None:
    """Add entries to the knowledge base; those of a known id are replaced."""
    for entry in entries:
        session.merge(KnowledgeRow(**entry.model_dump(mode="json")))


def list_knowledge(session: Session) -> list[Entry]:
    """Return the knowledge base by id."""
    rows = session.scalars(select(KnowledgeRow).order_by(KnowledgeRow.id))
    return [
        Entry(
            id=row.id,
            title=row.title,
            authors=row.authors,
            year=row.year,
            tags=tuple(row.tags),
            related=tuple(row.related),
            text=row.text,
            source=row.source,
        )
        for row in rows
    ]


def remove_knowledge(session: Session, entry_id: str) -> None:
    """Take an entry out of the knowledge base.

    Raises:
        UserError: there is no such entry.
    """
    row = session.get(KnowledgeRow, entry_id)
    if row is None:
        raise UserError(f"the database has no knowledge entry {entry_id!r}; see: knowledge list")
    session.delete(row)


def list_embeddings(session: Session, model: str) -> dict[str, Embedding]:
    """Return the entries' vectors that a model gave, by entry id."""
    rows = session.scalars(select(EmbeddingRow).filter_by(model=model))
    return {row.entry_id: Embedding(digest=row.digest, vector=tuple(row.vector)) for row in rows}


def save_embeddings(session: Session, model: str, embeddings: Mapping[str, Embedding]) -> None:
    """Keep the vectors of entries, by entry id, in place of earlier ones."""
    for id, embedding in embeddings.items():
        session.merge(EmbeddingRow(model=model, entry_id=id, **embedding.model_dump(mode="json")))
