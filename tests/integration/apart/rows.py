"""Rows of the apps "press" and "journal", and what is done to them. Imported only while these apps are installed."""

from __future__ import annotations

from typing import Any

from tests.integration.apart.journal.models import Note, Page, Receipt
from tests.integration.apart.press.models import Article, Review
from tests.shop.models import Customer, Order


class Rows:
    """Two notes, one of them reviewed, an article, a customer "Bob" and a receipt of his; each test has its own."""

    def __init__(self) -> None:
        for model in (Article, Review, Note, Page, Receipt):
            model._default_manager.all().delete()
        Customer.objects.exclude(name="Ada").delete()
        self.note = Note.objects.create(text="old")
        self.other = Note.objects.create(text="other")
        self.review = Review.objects.create(text="old", stars=1)
        self.article = Article.objects.create(title="title")
        self.article.notes.add(self.other)
        self.bob = Customer.objects.create(name="Bob")
        self.receipt = Receipt.objects.create(customer=self.bob, total=1, number=1)

    def write_page(self) -> None:
        Page.objects.create(text="new")

    def pages(self) -> list[Any]:
        return list(Page.objects.values_list("text", flat=True))

    def rate(self) -> None:
        Review.objects.filter(pk=self.review.pk).update(stars=5)

    def rename_reviewed_note(self) -> None:
        Note.objects.filter(pk=self.review.pk).update(text="new")

    def rename_review(self) -> None:
        self.review.text, self.review.stars = "new", 2
        self.review.save()

    def reviews(self) -> list[Any]:
        return list(Review.objects.values_list("text", "stars"))

    def reviewed_notes(self) -> list[Any]:
        return list(Note.objects.filter(pk=self.review.pk).values_list("text", flat=True))

    def number(self) -> None:
        Receipt.objects.update(number=7)

    def reprice(self) -> None:
        Order.objects.filter(pk=self.receipt.pk).update(total=2)

    def receipts(self) -> list[Any]:
        return [(int(total), number) for total, number in Receipt.objects.values_list("total", "number")]

    def annotate(self) -> None:
        self.receipt.notes.add(self.note)

    def annotated(self) -> list[Any]:
        return list(self.note.receipt_set.values_list("number", flat=True))

    def relate(self) -> None:
        self.note.related.add(self.other)

    def related(self) -> list[Any]:
        return list(self.other.related.values_list("text", flat=True))

    def mention(self) -> None:
        self.note.customers.add(self.bob)

    def mentioned(self) -> list[Any]:
        return list(self.note.customers.values_list("name", flat=True))

    def mentioning(self) -> list[Any]:
        return list(self.bob.note_set.values_list("text", flat=True))

    def cite(self) -> None:
        self.article.notes.set([self.note])

    def cited(self) -> list[Any]:
        (article,) = Article.objects.prefetch_related("notes")
        assert list(article.notes.all()) == list(self.article.notes.all())
        return [note.text for note in article.notes.all()]

    def citing(self) -> list[Any]:
        return list(self.note.article_set.values_list("title", flat=True))

    def uncite(self) -> None:
        self.article.notes.clear()

    def cited_before(self) -> list[Any]:
        return list(self.article.notes.values_list("text", flat=True))

    def subscribe(self) -> None:
        self.article.readers.add(self.bob)

    def readers(self) -> list[Any]:
        return list(self.article.readers.values_list("name", flat=True))
