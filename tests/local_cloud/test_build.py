"""Artifacts: the same bytes everywhere, the right wheels, nothing that does not belong."""

import zipfile
from io import BytesIO
from pathlib import Path

import pytest

from scripts.build import artifacts, content
from scripts.build.archive import zip_trees
from scripts.build.artifacts import ROOT, build, make_artifact, verify
from scripts.build.dependencies import RUNTIME_DISTRIBUTIONS, dependency_tree, prune, without_distributions
from scripts.build.targets import HOST, LAMBDA
from scripts.build.template import dump_template, load_template, local_references
from scripts.build.wheels import UNZIPPED_LIMIT, runs_on_lambda, unzipped_size, wheel_problems

RUNTIME = ROOT / "requirements" / "runtime.txt"


def write(path: Path, text: str = "x = 1\n") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


# ---- zips


def test_zips_depend_on_content_alone(tmp_path):
    for name, order in (("one", "ab"), ("two", "ba")):
        for letter in order:
            write(tmp_path / name / f"{letter}.py", letter).chmod(0o644 if name == "one" else 0o755)
        write(tmp_path / name / "__pycache__" / "a.pyc", name)
    assert zip_trees({"": tmp_path / "one"}) == zip_trees({"": tmp_path / "two"})
    with zipfile.ZipFile(BytesIO(zip_trees({"python/": tmp_path / "one"}))) as archive:
        assert archive.namelist() == ["python/a.py", "python/b.py"]
        assert {member.date_time for member in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_two_trees_may_not_claim_one_name(tmp_path):
    write(tmp_path / "one" / "a.py")
    write(tmp_path / "two" / "p" / "a.py")
    with pytest.raises(ValueError, match=r"p/a\.py"):
        zip_trees({"p/": tmp_path / "one", "": tmp_path / "two"})


# ---- wheels


@pytest.mark.parametrize(
    ("tag", "fits"),
    [
        ("py3-none-any", True),
        ("py2.py3-none-any", True),
        ("cp313-cp313-manylinux_2_17_aarch64.manylinux2014_aarch64", True),
        ("cp313-cp313-manylinux_2_28_aarch64", True),
        ("cp39-abi3-manylinux_2_28_aarch64", True),
        ("cp311-abi3-manylinux2014_aarch64", True),
        ("cp314-abi3-manylinux_2_28_aarch64", False),
        ("cp313-cp313-manylinux_2_34_aarch64", False),
        ("cp313-cp313-manylinux_2_28_x86_64", False),
        ("cp311-cp311-manylinux_2_28_aarch64", False),
        ("cp313-cp313t-manylinux_2_28_aarch64", False),
        ("cp313-cp313-musllinux_1_2_aarch64", False),
        ("cp313-cp313-macosx_11_0_arm64", False),
        ("py2-none-any", False),
    ],
)
def test_wheel_tags(tag, fits):
    assert runs_on_lambda(tag) is fits


def test_wheel_problems_name_the_distribution_and_the_binary(tmp_path):
    write(tmp_path / "good-1.dist-info" / "WHEEL", "Tag: py3-none-any\n")
    assert wheel_problems(tmp_path) == []
    write(tmp_path / "bad-2.dist-info" / "WHEEL", "Tag: cp313-cp313-win_amd64\n")
    library = tmp_path / "bad" / "fast.so"
    library.parent.mkdir()
    library.write_bytes(b"\x7fELF" + bytes(14) + (0x3E).to_bytes(2, "little"))
    assert wheel_problems(tmp_path) == ["bad-2.dist-info: cp313-cp313-win_amd64", "bad/fast.so: not aarch64"]


def test_an_empty_tree_is_a_problem_not_a_success(tmp_path):
    assert len(wheel_problems(tmp_path)) == 1


# ---- dependencies


def test_what_the_runtime_has_is_left_out():
    pinned = RUNTIME.read_text()
    kept = without_distributions(pinned, RUNTIME_DISTRIBUTIONS)
    names = {line.split("==")[0] for line in kept.splitlines() if line[:1].isalpha()}
    assert names.isdisjoint(RUNTIME_DISTRIBUTIONS)
    assert {"pydantic", "pynamodb", "requests", "urllib3"} <= names
    assert kept.count("--hash") + _hashes_of(pinned, RUNTIME_DISTRIBUTIONS) == pinned.count("--hash")


def _hashes_of(pinned: str, names: frozenset[str]) -> int:
    return pinned.count("--hash") - without_distributions(pinned, names).count("--hash")


def test_names_are_compared_normalised():
    pinned = "Python_DateUtil==2 \\\n    --hash=sha256:aa\nrequests==3 \\\n    --hash=sha256:bb\n"
    assert (
        without_distributions(pinned, frozenset({"python-dateutil"}))
        == "requests==3 \\\n    --hash=sha256:bb\n"
    )


def test_pruning_keeps_wheel_tags_licences_and_code(tmp_path):
    kept = [
        "a/core.py",
        "a/_c.so",
        "a-1.dist-info/WHEEL",
        "a-1.dist-info/METADATA",
        "a-1.dist-info/LICENSE.txt",
    ]
    removed = [
        "a/tests/test_core.py",
        "a/core.pyi",
        "bin/tool",
        "a-1.dist-info/entry_points.txt",
        "a/__pycache__/c.pyc",
    ]
    for name in [*kept, *removed]:
        write(tmp_path / name)
    prune(tmp_path)
    assert sorted(
        str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()
    ) == sorted(kept)


# ---- content and artifacts


def test_compilers_are_found_by_name(tmp_path, monkeypatch):
    monkeypatch.setattr(content, "compilers", lambda: ["compile_words", "compile_rules"])
    ran = []

    def compiler(name):
        class Module:
            @staticmethod
            def compile_to(out):
                ran.append(name)
                write(out / f"{name.rsplit('_', 1)[1]}.txt")

        return Module

    monkeypatch.setattr(content, "import_module", compiler)
    assert content.build_content(tmp_path / "out") == ["compile_words", "compile_rules"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["rules.txt", "words.txt"]
    assert ran == ["scripts.build.compile_words", "scripts.build.compile_rules"]


def test_the_shared_layer_holds_code_and_compiled_knowledge(tmp_path, monkeypatch):
    write(tmp_path / "shared" / "lantern" / "domain" / "__init__.py")
    monkeypatch.setattr(artifacts, "build_content", lambda out: write(out / "catalog.sqlite"))
    with zipfile.ZipFile(BytesIO(make_artifact(tmp_path, "shared", HOST).content)) as archive:
        assert archive.namelist() == [
            "python/lantern/content/_compiled/catalog.sqlite",
            "python/lantern/domain/__init__.py",
        ]


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="functions/nobody"):
        make_artifact(tmp_path, "functions/nobody", HOST)


TEMPLATE = """\
Transform: AWS::Serverless-2016-10-31
Resources:
  Deps: {Type: AWS::Serverless::LayerVersion, Properties: {ContentUri: ./layers/dependencies/}}
  Shared: {Type: AWS::Serverless::LayerVersion, Properties: {ContentUri: shared}}
  Far: {Type: AWS::Serverless::LayerVersion, Properties: {ContentUri: "s3://bucket/key"}}
  Hello:
    Type: AWS::Serverless::Function
    Properties: {CodeUri: functions/hello, Role: !GetAtt Role.Arn}
  Queue: {Type: AWS::SQS::Queue}
"""


def test_references_and_round_trip(tmp_path):
    template = load_template(write(tmp_path / "template.yaml", TEMPLATE))
    assert local_references(template) == [
        ("Deps", "ContentUri", "layers/dependencies"),
        ("Shared", "ContentUri", "shared"),
        ("Hello", "CodeUri", "functions/hello"),
    ]
    again = load_template(write(tmp_path / "again.yaml", dump_template(template)))
    assert again["Resources"]["Hello"]["Properties"]["Role"] == {"Fn::GetAtt": ["Role", "Arn"]}
    assert dump_template(again) == dump_template(template)


def test_a_file_without_resources_is_refused(tmp_path):
    with pytest.raises(ValueError, match="no Resources"):
        load_template(write(tmp_path / "template.yaml", "a: 1\n"))


@pytest.mark.stack
def test_real_wheels_run_on_lambda_and_fit():
    tree = dependency_tree(RUNTIME, LAMBDA)
    assert wheel_problems(tree / "python") == []
    assert unzipped_size([tree, ROOT / "shared"]) < UNZIPPED_LIMIT // 2
    names = {path.name.split("-")[0].lower() for path in (tree / "python").glob("*.dist-info")}
    assert {"pydantic_core", "cryptography", "aws_lambda_powertools"} <= names
    assert names.isdisjoint({"boto3", "botocore", "s3transfer", "jmespath"})
    assert dependency_tree(RUNTIME, LAMBDA) == tree


@pytest.mark.stack
def test_host_wheels_are_not_taken_for_lambdas():
    assert wheel_problems(dependency_tree(RUNTIME, HOST) / "python") != []


@pytest.mark.stack
def test_build_writes_a_template_over_its_zips(tmp_path):
    write(tmp_path / "template.yaml", TEMPLATE)
    write(tmp_path / "functions" / "hello" / "app.py")
    write(tmp_path / "shared" / "lantern" / "__init__.py")
    write(tmp_path / "requirements" / "runtime.txt", RUNTIME.read_text())
    output = tmp_path / "build" / "aws"
    template = load_template(build(tmp_path, output, report=lambda _line: None))
    uris = {uri for _, _, uri in local_references(template)}
    assert uris == {"layers/dependencies.zip", "layers/shared.zip", "functions/hello.zip"}
    first = {uri: (output / uri).read_bytes() for uri in uris}
    build(tmp_path, output, report=lambda _line: None)
    assert {uri: (output / uri).read_bytes() for uri in uris} == first


@pytest.mark.stack
def test_a_function_too_large_is_refused(tmp_path):
    with (write(tmp_path / "functions" / "fat" / "data.bin")).open("wb") as fat:
        fat.truncate(UNZIPPED_LIMIT + 1)
    with pytest.raises(RuntimeError, match="over Lambda's 250"):
        verify(tmp_path, ["functions/fat"])
