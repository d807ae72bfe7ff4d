"""What somebody works on in a year: a few lasting projects, with the titles and tasks of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

ALL_YEAR = frozenset(range(1, 13))


@dataclass(frozen=True, slots=True)
class Project:
    """`{n}` in a title or task counts from 1 to `parts` in the course of the plan.

    `likely` says how likely it is at a time of the day, `months` in which months it goes on at all.
    """

    titles: tuple[str, ...]
    tasks: tuple[str, ...]
    parts: int
    likely: Mapping[str, int]
    weekend: float = 1.0  # times as likely as on a working day
    months: frozenset[int] = ALL_YEAR
    for_exams: bool = False  # goes on only in the month of the exams
    minutes: tuple[int, ...] = ()  # durations that suit it; empty: any
    device: str = "Laptop"


PROJECTS = (
    Project(
        titles=(
            "Thesis, chapter {n}",
            "Thesis: figures for chapter {n}",
            "Thesis: related work",
            "Write",
            "Rewrite the introduction so that the question comes first and the method after it",
            "Read Brandão & Köhler again, this time only for what they say about their sample",
            "Thesis: answer the comments",
        ),
        tasks=(
            "Outline section {n}.2",
            "Two paragraphs",
            "Sort the notes",
            "Check the citations",
            "Redraw figure {n}",
            "Cut half a page",
            "List what is missing",
            "Write to Prof. Ångström about the data",
        ),
        parts=6,
        likely={"morning": 10, "afternoon": 5, "evening": 1},
        weekend=0.4,
    ),
    Project(
        titles=(
            "Greek, lesson {n}",
            "Ελληνικά, μάθημα {n}",
            "Vocabulary",
            "Greek: listen and repeat",
        ),
        tasks=("Twenty new words", "Exercise {n}b", "Read the dialogue aloud", "Γράμμα στη Μαρία"),
        parts=40,
        likely={"morning": 3, "afternoon": 2, "evening": 4},
        weekend=1.5,
        minutes=(15, 20, 25, 25, 30),
        device="Phone",
    ),
    Project(
        titles=(
            "Café Zoë: website",
            "Café Zoë: menu page, and the opening hours that change with the season",
            "Café Zoë: photos",
            "Call with Zoë, notes",
        ),
        tasks=(
            "Menu in three languages",
            "Make it work on a phone",
            "Send the draft",
            "Replace the map",
            "Invoice no. {n}",
            "Smaller pictures",
        ),
        parts=9,
        likely={"morning": 3, "afternoon": 8, "evening": 1},
        weekend=0.2,
        months=frozenset({1, 2, 3, 4, 9, 10, 11}),
    ),
    Project(
        titles=("Guitar", "Guitar: scales", "Guitar: Recuerdos, slowly", "Guitar: étude no. {n}"),
        tasks=("Warm up", "Bars 9 to 16 at 60", "Once through, no stopping", "Record it"),
        parts=12,
        likely={"morning": 0, "afternoon": 2, "evening": 8},
        weekend=2.0,
        minutes=(15, 20, 25, 30, 40),
        device="Phone",
    ),
    Project(
        titles=("Read", "Middlemarch, chapter {n}", "Read on the balcony", "Papers of the week"),
        tasks=("Notes", "The rest of chapter {n}"),
        parts=86,
        likely={"morning": 1, "afternoon": 2, "evening": 6},
        weekend=2.0,
        minutes=(25, 30, 45, 60),
        device="Phone",
    ),
    Project(
        titles=(
            "Exam: past paper {n}",
            "Exam: flash cards",
            "Exam: statistics",
            "Study with Jürgen",
        ),
        tasks=("Questions 1 to 5", "Questions 6 to 10", "Mark it", "What went wrong?", "Formulas"),
        parts=24,
        likely={"morning": 12, "afternoon": 12, "evening": 6},
        for_exams=True,
    ),
    Project(
        titles=("E-mail", "Tidy the desk", "Plan the week", "Taxes", "Letters"),
        tasks=("Answer the landlord", "Inbox", "Receipts", "Book the train"),
        parts=1,
        likely={"morning": 2, "afternoon": 3, "evening": 1},
        weekend=0.6,
        minutes=(15, 15, 25),
    ),
)
THESIS, GREEK, GUITAR = PROJECTS[0], PROJECTS[1], PROJECTS[3]
FOR_LATER = (THESIS, GREEK, GUITAR)  # what is ready, today


def numbered(text: str, project: Project, progress: float) -> str:
    """The text with its number; `progress` is how much of the plan's time is over, 0 to 1."""
    return text.format(n=1 + int(progress * (project.parts - 1)))
