"""Holds Kubernetes manifests (files of YAML) against schemas: those of Kubernetes itself, and of KEDA's and Prometheus' operators'
own kinds. An unknown key is an error, as it is to the API server with --validate=strict. Exit 1 if anything is wrong."""

import sys

import kubernetes_validate
import yaml
from cloudcoil.models.keda.v1alpha1 import ScaledObject, TriggerAuthentication
from cloudcoil.models.prometheus_operator.v1 import ServiceMonitor
from pydantic import ValidationError

KUBERNETES = "1.37"
OPERATORS = {
    ("keda.sh/v1alpha1", "ScaledObject"): ScaledObject,
    ("keda.sh/v1alpha1", "TriggerAuthentication"): TriggerAuthentication,
    ("monitoring.coreos.com/v1", "ServiceMonitor"): ServiceMonitor,
}


def problems(document):
    """What is wrong with one manifest, a line each."""
    model = OPERATORS.get((document.get("apiVersion"), document.get("kind")))
    if model is None:
        return of_kubernetes(document)
    try:
        read = model.model_validate(document)
    except ValidationError as error:
        return [f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()]
    # The models leave out what they do not know.
    return list(left_out(document, read.model_dump(by_alias=True, exclude_unset=True, mode="json"), ""))


def of_kubernetes(document):
    try:
        kubernetes_validate.validate(document, KUBERNETES, strict=True)
    except kubernetes_validate.ValidationError as error:
        return [f"{'.'.join(map(str, error.path))}: {error.message}"]
    except kubernetes_validate.SchemaNotFoundError:
        return [f"{document.get('apiVersion')} has no such kind in Kubernetes {KUBERNETES}"]
    return []


def left_out(given, read, place):
    if isinstance(given, dict):
        for key, value in given.items():
            if isinstance(read, dict) and key in read:
                yield from left_out(value, read[key], f"{place}.{key}")
            else:
                yield f"{place}.{key}".lstrip(".") + ": no such key"
    elif isinstance(given, list):
        for number, (value, of_read) in enumerate(zip(given, read)):
            yield from left_out(value, of_read, f"{place}.{number}")


def main(files):
    count, wrong = 0, 0
    for file in files:
        with open(file, encoding="utf-8") as text:
            documents = [document for document in yaml.safe_load_all(text) if document is not None]
        for document in documents:
            count += 1
            for problem in problems(document):
                wrong += 1
                name = document.get("metadata", {}).get("name")
                print(f"{file}: {document.get('kind')} {name}: {problem}", file=sys.stderr)
    if count == 0:
        print("no manifest was given", file=sys.stderr)
    print(f"{count} manifests, {wrong} problems")
    return 1 if wrong or count == 0 else 0


sys.exit(main(sys.argv[1:]))
