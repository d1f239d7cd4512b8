"""`kaoiro data soft-labels`: what trained models say of the training faces, beside their labels."""

from pathlib import Path
from typing import Annotated

import typer

from kaoiro.cli.data.progress import messages_console, progress_bar
from kaoiro.cli.extras import extra_needed


def soft_labels(
    corpus: Annotated[Path, typer.Argument(help="A corpus that `kaoiro data import` wrote; it is not touched.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The corpus to write, a Parquet file.")],
    teacher: Annotated[
        list[str] | None,
        typer.Option(help="A shipped model's name or a model file; several are averaged (--teacher A --teacher B)."),
    ] = None,
    answers: Annotated[
        Path | None, typer.Option(help="In place of teachers: a file that --only-answers wrote.")
    ] = None,
    only_answers: Annotated[
        bool, typer.Option("--only-answers", help="Write the soft labels alone, without the pictures.")
    ] = False,
    split: Annotated[str, typer.Option(help="Whose faces are read.")] = "train",
    views: Annotated[
        int, typer.Option(min=1, help="At how many angles and zooms each face is read, plain and mirrored.")
    ] = 1,
    prefix: Annotated[str, typer.Option(help="What the new columns' names begin with.")] = "teacher",
) -> None:
    """Let trained models label the training faces, for a smaller model to learn.

    Each common head's probabilities become columns such as
    teacher.ferplus.anger; a head learns from them by its soft_labels:
    teacher.ferplus (distillation).
    """
    with extra_needed("kaoiro data", "train"):
        from kaoiro.soft_labels import heads_of, read_answers, teach, write_answers, write_taught_corpus
    from kaoiro.errors import InputError
    from kaoiro.files import check_target

    if bool(teacher) == (answers is not None):
        raise InputError("give either --teacher, once or more often, or --answers")
    check_target(output)
    console = messages_console()
    if answers is not None:
        columns = read_answers(corpus, answers)
    else:
        with progress_bar(console, "reading") as on_progress:
            columns = teach(corpus, teacher or [], prefix=prefix, split=split, views=views, on_progress=on_progress)
    if only_answers:
        written = write_answers(corpus, columns, output)
    else:
        with progress_bar(console, f"writing {output.name}") as on_progress:
            written = write_taught_corpus(corpus, output, columns, on_progress)
    typer.echo(f"{output}: {written} faces, with soft labels {', '.join(heads_of(columns))}")
