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
    split: Annotated[str | None, typer.Option(help="Whose faces are read; train, if nothing is said.")] = None,
    views: Annotated[
        int | None,
        typer.Option(min=1, help="At how many angles and zooms each face is read, plain and mirrored; 1 by default."),
    ] = None,
    prefix: Annotated[
        str | None, typer.Option(help="What the new columns' names begin with; teacher, if nothing is said.")
    ] = None,
) -> None:
    """Let trained models label the training faces, for a smaller model to learn.

    Each common head's probabilities become columns such as
    teacher.ferplus.anger; a head learns from them by its soft_labels:
    teacher.ferplus (distillation).
    """
    with extra_needed("kaoiro data", "train"):
        from kaoiro.soft_labels import PREFIX, heads_of, read_answers, teach, write_answers, write_taught_corpus
    from kaoiro.errors import InputError
    from kaoiro.files import check_outputs

    if bool(teacher) == (answers is not None):
        raise InputError("give either --teacher, once or more often, or --answers")
    if answers is not None:
        for option, given in (("--split", split), ("--views", views), ("--prefix", prefix)):
            if given is not None:
                raise InputError(f"{option} is for teachers; a file of answers has its own")
    sources = {"the corpus": corpus} | {f"the teacher {one}": Path(one) for one in teacher or []}
    check_outputs(sources if answers is None else sources | {"the file of answers": answers}, {"--output": output})
    console = messages_console()
    if answers is not None:
        columns = read_answers(corpus, answers)
    else:
        with progress_bar(console, "reading") as on_progress:
            columns = teach(
                corpus,
                teacher or [],
                prefix=PREFIX if prefix is None else prefix,
                split=split or "train",
                views=views or 1,
                on_progress=on_progress,
            )
    if only_answers:
        written = write_answers(corpus, columns, output)
    else:
        with progress_bar(console, f"writing {output.name}") as on_progress:
            written = write_taught_corpus(corpus, output, columns, on_progress)
    typer.echo(f"{output}: {written} faces, with soft labels {', '.join(heads_of(columns))}")
