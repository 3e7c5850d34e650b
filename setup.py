"""Packaging of slowfast_det and ava_tools. Settings of the tools are in pyproject.toml."""

from pathlib import Path

from setuptools import find_packages, setup

EXPORT = ["onnx>=1.18", "onnxscript>=0.5", "onnxruntime>=1.22"]

setup(
    name="slowfast-det",
    version="0.1.0",
    description="Who does what in a video: SlowFast action detection, and AVA's files and metric",
    long_description=Path(__file__).with_name("README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    python_requires=">=3.11",
    # configs/ stands at the top of the checkout, where people look for it; a wheel carries it as
    # slowfast_det/configs. slowfast_det/config.py knows both places.
    packages=[*find_packages(include=["slowfast_det*", "ava_tools*"]), "slowfast_det.configs"],
    package_dir={"slowfast_det.configs": "configs"},
    package_data={
        "slowfast_det": ["py.typed", "checkpoints/*.csv"],
        "slowfast_det.configs": ["*.yaml", "persons/*.yaml"],
        "ava_tools": ["py.typed", "data/*.csv", "data/*.txt", "data/*.j2"],
    },
    install_requires=[
        "torch>=2.11",
        "torchvision>=0.26",  # pairs itself with one torch
        "numpy>=2",
        "pillow>=10",  # torchvision brings it along; resizes as Detectron2 does
        "pandas>=2.2,<4",
        "scipy>=1.11",  # identities from key frame to key frame
        "av>=17,<20",  # films
        "pycocotools>=2.0.8",  # AP of person boxes
        "pydantic>=2.7,<3",
        "PyYAML>=6",
        "filelock>=3.13",  # one training a folder; torch brings it along
        "cyclopts>=5,<6",  # command line
        "rich>=13",
        "opencv-python-headless>=4.9,<5",  # supervision expects parts that the 5 wheel lacks
        "supervision>=0.31",  # drawing
        "safetensors>=0.4",
        "Jinja2>=3.1,<4",  # the html report, and its figures
        "matplotlib>=3.9,<4",
    ],
    extras_require={
        "export": EXPORT,
        "test": ["pytest>=8", "hypothesis>=6", *EXPORT],
        "lint": ["ruff", "mypy", "import-linter", "pandas-stubs", "types-PyYAML"],
    },
    entry_points={
        "console_scripts": [
            "slowfast-det = slowfast_det.cli.main:main",
            "ava-tools = ava_tools.cli.main:main",
        ]
    },
)
