"""How fast, how large, how steady: `python -m bench` measures and writes docs/benchmarks.md.

`cases/` says what is measured: each case is a function from a `Stage` to
`Result`s, listed in `cases.CASES`. Around it: `server` is Weft with a floor and
a bare answer in the same process, `process` starts and stops servers, `fill`
makes large databases without HTTP, `measure` plays requests with wrk or with
`load`, our own generator, `report` makes the tables, `machine` says what they
were measured on. For runs, `model_server` stands in for a model, and `relay` has
it heard by `listener`s, a `crowd` of them, through Weft and directly. For file
search, `library` is what is searched, `questions.tsv` what is asked, and
`embedding_server` a real small model. `profile`
(`python -m bench profile`) shows where the time goes.

Ratios are what counts: both sides of one are measured in turns, in one run.
"""
