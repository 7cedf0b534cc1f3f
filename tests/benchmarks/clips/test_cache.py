"""The cache's key covers all code that shapes a measurement, wherever it moves."""

import grimp

from benchmarks.clips import cache

# Imported by what measures, without shaping a number: paths, errors, processes and weights, whose
# files are pinned by their SHA-256.
NOT_SHAPING = {
    "benchmarks.commands",
    "benchmarks.user_files",
    "pipeline.command_options",
    "pipeline.errors",
    "pipeline.files",
    "pipeline.parallel",
    "pipeline.parallel.session",
    "pipeline.parallel.tasks",
    "pipeline.progress",
    "pipeline.storage",
    "pipeline.units",
    "pipeline.weights",
}


def covered(module: str) -> bool:
    path = module.replace(".", "/")
    return any(path == room or path.startswith(f"{room}/") for room in cache.ROOMS)


def test_every_module_behind_a_measurement_is_in_a_room_that_counts():
    graph = grimp.build_graph("pipeline", "model", "benchmarks", exclude_type_checking_imports=True)
    behind = graph.find_upstream_modules("benchmarks.scoring.scorer")
    left_out = {name for name in behind if not covered(name)} - NOT_SHAPING
    # The networks are put on a device by `model.device`, which computes nothing.
    assert {name for name in left_out if not name.startswith("model")} == set()
    assert {name for name in left_out if name.startswith("model")} <= {
        "model.config.choices",
        "model.device",
    }


def test_a_room_that_has_gone_is_no_silent_gap(monkeypatch):
    monkeypatch.setattr(cache, "ROOMS", (*cache.ROOMS, "pipeline/no_such_room"))
    cache.code_digest.cache_clear()
    try:
        cache.code_digest()
    except AssertionError:
        pass
    else:
        raise AssertionError("a vanished room went unnoticed")
    finally:
        cache.code_digest.cache_clear()


def test_another_line_of_code_is_another_key(monkeypatch, tmp_path):
    (tmp_path / "room").mkdir()
    (tmp_path / "room" / "a.py").write_text("x = 1\n")
    monkeypatch.setattr(cache, "ROOT", tmp_path)
    monkeypatch.setattr(cache, "ROOMS", ("room",))
    keys = []
    for code in ("x = 1\n", "x = 2\n"):
        (tmp_path / "room" / "a.py").write_text(code)
        cache.code_digest.cache_clear()
        keys.append(cache.key_of("ssim", 1))
    cache.code_digest.cache_clear()
    assert keys[0] != keys[1]
