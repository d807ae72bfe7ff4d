"""The week that repeats: when a session usually begins, what it is about, how long it takes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Project:
    """`{n}` in a title or task counts from 1 to `parts` over the months of the plan."""

    titles: tuple[str, ...]
    tasks: tuple[str, ...]
    parts: int
    device: str = "Laptop"

    def numbered(self, text: str, progress: float) -> str:
        """The text with its number; `progress` is the part of the plan that is over, 0 to 1."""
        return text.format(n=1 + int(progress * (self.parts - 1)))


THESIS = Project(
    (
        "Thesis, chapter {n}",
        "Thesis, chapter {n}",
        "Thesis: related work",
        "Thesis: answer the comments",
        "Rewrite the introduction so that the question comes first and the method after it",
        "Read Brandão & Köhler again, this time only for what they say about their sample",
    ),
    (
        "Outline section {n}.2",
        "Two paragraphs",
        "Sort the notes",
        "Check the citations",
        "Redraw figure {n}",
        "Cut half a page",
        "Write to Prof. Ångström about the data",
    ),
    parts=6,
)
GREEK = Project(
    ("Greek, lesson {n}", "Ελληνικά, μάθημα {n}", "Vocabulary", "Greek: listen and repeat"),
    ("Twenty new words", "Exercise {n}b", "Read the dialogue aloud", "Γράμμα στη Μαρία"),
    parts=40,
    device="Phone",
)
CAFE = Project(
    (
        "Café Zoë: website",
        "Café Zoë: menu page, and the opening hours that change with the season",
        "Café Zoë: photos",
        "Call with Zoë, notes",
    ),
    ("Menu in three languages", "Make it work on a phone", "Send the draft", "Invoice no. {n}"),
    parts=9,
)
EXAM = Project(
    ("Exam: past paper {n}", "Exam: flash cards", "Exam: statistics", "Study with Jürgen"),
    ("Questions 1 to 5", "Questions 6 to 10", "Mark it", "What went wrong?", "Formulas"),
    parts=24,
)
GUITAR = Project(
    ("Guitar", "Guitar: scales", "Guitar: Recuerdos, slowly", "Guitar: étude no. {n}"),
    ("Warm up", "Bars 9 to 16 at 60", "Once through, no stopping", "Record it"),
    parts=12,
    device="Phone",
)
READ = Project(
    ("Read", "Middlemarch, chapter {n}", "Read on the balcony", "Papers of the week"),
    ("Notes", "The rest of chapter {n}"),
    parts=86,
    device="Phone",
)
DESK = Project(
    ("E-mail", "Tidy the desk", "Plan the week", "Taxes"),
    ("Answer the landlord", "Inbox", "Receipts", "Book the train"),
    parts=1,
)
PROJECTS = (THESIS, GREEK, CAFE, EXAM, GUITAR, READ, DESK)

# For each weekday from Monday on: local time, project, minutes. Some are left out.
WEEK = (
    (("08:40", THESIS, 50), ("10:00", THESIS, 25), ("14:00", CAFE, 45), ("20:15", GUITAR, 20)),
    (("08:30", GREEK, 15), ("09:15", THESIS, 90), ("13:30", CAFE, 25), ("15:30", CAFE, 40)),
    (("08:45", THESIS, 50), ("11:10", DESK, 15), ("16:00", CAFE, 60), ("19:45", READ, 30)),
    (("09:00", THESIS, 25), ("09:40", THESIS, 25), ("14:30", CAFE, 25), ("17:10", GREEK, 25)),
    (("08:50", THESIS, 50), ("11:00", THESIS, 25), ("13:30", DESK, 25), ("15:00", CAFE, 40)),
    (("10:30", GUITAR, 30), ("16:00", READ, 60), ("20:30", GUITAR, 25)),
    (("11:00", GREEK, 25), ("20:00", READ, 45)),
)
EXAM_MONTHS = (2, 7)  # then exams take the place of the café
