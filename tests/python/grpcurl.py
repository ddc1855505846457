"""What grpcurl does, by server reflection alone: runs the grpcurl lines of a document.

Debian 12 has no grpcurl, so its lines in docs/api.md are run by this: `grpcurl.py DOCUMENT`. Of grpcurl's
options it knows those that the document uses, and refuses others.
"""

import argparse
import re
import shlex
import sys

import grpc
from google.protobuf import json_format, message_factory
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase


def options(words):
    parser = argparse.ArgumentParser(prog="grpcurl", allow_abbrev=False)
    for flag in ["-plaintext", "-unix"]:
        parser.add_argument(flag, action="store_true", required=True)
    parser.add_argument("-authority", required=True)
    parser.add_argument("-d", default="{}")
    parser.add_argument("address")
    parser.add_argument("verb")
    parser.add_argument("symbol", nargs="?")
    return parser.parse_args(words)


def run(args):
    """Prints what one line asks for."""
    channel = grpc.insecure_channel(f"unix:{args.address}", options=[("grpc.default_authority", args.authority)])
    database = ProtoReflectionDescriptorDatabase(channel)
    pool = DescriptorPool(database)
    if args.verb == "list" and not args.symbol:
        return print("\n".join(sorted(database.get_services())))
    if args.verb == "list":
        service = pool.FindServiceByName(args.symbol)
        return print("\n".join(method.full_name for method in service.methods))
    if args.verb == "describe":
        try:
            found = pool.FindMessageTypeByName(args.symbol)
            return print("\n".join(f"{field.name} = {field.number}" for field in found.fields))
        except KeyError:
            return print("\n".join(method.name for method in pool.FindServiceByName(args.symbol).methods))
    name, _, method = args.verb.rpartition("/")
    method = pool.FindServiceByName(name).FindMethodByName(method)
    request = json_format.Parse(args.d, message_factory.GetMessageClass(method.input_type)())
    answer = message_factory.GetMessageClass(method.output_type)
    call = channel.unary_stream(
        f"/{args.verb}", request_serializer=type(request).SerializeToString, response_deserializer=answer.FromString
    )
    for message in call(request):
        print(json_format.MessageToJson(message, preserving_proto_field_name=True))
        if "WatchLab" in args.verb:
            # It has no end of its own; a user ends it by Ctrl-C.
            break


text = open(sys.argv[1], encoding="utf-8").read()
section = text.split("\n## grpcurl\n", 1)[1].split("\n## ", 1)[0]
block = re.search(r"```sh\n(.*?)```", section, re.DOTALL).group(1).replace("\\\n", " ")
lines = [line for line in block.splitlines() if line.startswith("grpcurl ")]
assert len(lines) > 5, lines
for line in lines:
    print(f"$ {line}")
    run(options(shlex.split(line)[1:]))
