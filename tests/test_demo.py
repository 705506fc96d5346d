"""The demo, with a few images instead of a thousand: what it writes, not what it finds."""

import functools
import json

from PIL import Image

from voc_seg import demo


def test_the_demo_writes_its_report_and_its_picture(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(demo, "TRAIN", 8)
    monkeypatch.setattr(demo, "VAL", 7)
    monkeypatch.setattr(demo, "FEW", 2)
    pretrain = functools.partial(demo.pretrain_encoder, count=32, epochs=1)
    monkeypatch.setattr(demo, "pretrain_encoder", pretrain)
    demo.demo(tmp_path / "demo")

    report = json.loads((tmp_path / "demo" / "report.json").read_text("utf-8"))
    names = ["patch classifier", "encoder-decoder", "U-Net", "U-Net, 2 masks", "transfer, 2 masks"]
    assert [model["name"] for model in report["models"]] == names
    assert [model["training_images"] for model in report["models"]] == [8, 8, 8, 2, 2]
    for model in report["models"]:
        assert set(model["iou"]) == {"background", "disc", "square", "star", "ring"}
        values = [value for value in model["iou"].values() if value is not None]
        assert abs(model["mean_iou"] - sum(values) / len(values)) < 1e-9
        assert model["seconds"] > 0 and model["parameters"] > 0
    width, height = Image.open(tmp_path / "demo" / "comparison.png").size
    assert width > 500 and height > 500
    printed = capsys.readouterr().out
    assert all(name in printed for name in names) and "comparison.png" in printed
