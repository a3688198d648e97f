// Digests in files: what changed is noticed, what was only laid out anew is not, and others can check them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include <nlohmann/json.hpp>

#include <elk/io/atomic_file.hpp>
#include <elk/io/digest.hpp>
#include <elk/io/safetensors.hpp>

#include "io/python.hpp"
#include "io/temporary_folder.hpp"
#include "support.hpp"

namespace elk {
namespace {

using test::error_of;

const std::string refusal =
    "its contents do not fit its \"digest\": they were changed after they were written";

std::string refused(const std::string& text) {
  return error_of<ValueError>([&] {
    nlohmann::json object = nlohmann::json::parse(text);
    take_digest(object);
  });
}

TEST(JsonDigest, StandsBehindTheOtherFields) {
  const std::string line = with_digest("{\"b\":1.0,\"a\":[null,\"\xc3\xbc\"]}\n");
  EXPECT_TRUE(line.starts_with("{\"b\":1.0,\"a\":[null,\"\xc3\xbc\"],\"digest\":\"")) << line;
  EXPECT_TRUE(line.ends_with("\"}\n")) << line;
  const std::string lines = with_digest("{\n  \"b\": 1\n}\n");
  EXPECT_TRUE(lines.starts_with("{\n  \"b\": 1,\n  \"digest\": \"")) << lines;
  EXPECT_TRUE(lines.ends_with("\"\n}\n")) << lines;
}

TEST(JsonDigest, FitsTheContentsAlone) {
  const std::string good =
      with_digest(R"({"b":1.0,"a":[null,"x"],"n":-0.0,"big":18446744073709551615,"e":1e-300})");
  nlohmann::json object = nlohmann::json::parse(good);
  take_digest(object);
  EXPECT_EQ(object.size(), 5u);
  EXPECT_EQ(refused(nlohmann::ordered_json::parse(good).dump(4)), "no error");
  EXPECT_EQ(refused(nlohmann::json::parse(good).dump()), "no error");  // in another order
  EXPECT_EQ(refused(R"({"b":1})"), "no error");
  EXPECT_EQ(refused("{}"), "no error");
  EXPECT_EQ(refused("[1]"), "no error");
  for (const auto& [from, to] : {std::pair{"1.0", "1"},
                                 {"1.0", "2.0"},
                                 {"\"a\"", "\"c\""},
                                 {"null", "0"},
                                 {"\"x\"", "\"y\""},
                                 {"-0.0", "0.0"},
                                 {"615", "614"},
                                 {"e-300", "e-301"},
                                 {"\"b\":1.0,", ""},
                                 {"{", "{\"more\":1,"}}) {
    std::string bad = good;
    bad.replace(bad.find(from), std::string(from).size(), to);
    EXPECT_EQ(refused(bad), refusal) << bad;
  }
  EXPECT_EQ(refused(R"({"a":1,"digest":7})"), refusal);
  EXPECT_EQ(refused(R"({"a":1,"digest":""})"), refusal);
}

// Of files that somebody made up: writing goes down into what is nested.
TEST(JsonDigest, NestedDeeplyIsRefused) {
  const std::size_t deep = 1'000'000;
  EXPECT_EQ(refused("{\"a\":" + std::string(deep, '[') + std::string(deep, ']') + ",\"digest\":\"\"}"),
            "objects are nested in it more than 20 deep");
}

SafetensorsFile example() {
  return {{{"b", from(std::vector<float>{1, -2, 0.5, 3, 4, 5}, {2, 3})},
           {"a", from(std::vector<std::int64_t>{7})},
           {"none", zeros({0}, f64)}},
          {{"format", "x"}, {"name", "ü\n"}}};
}

TEST(SafetensorsDigest, FitsTheContentsAlone) {
  SafetensorsFile good = example();
  EXPECT_EQ(error_of<ValueError>([&] { check_digest(good); }), "no error");  // it has none
  good.metadata = with_digest(good.tensors, good.metadata);
  EXPECT_EQ(with_digest(good.tensors, good.metadata), good.metadata);
  const auto refused_after = [&](auto change) {
    SafetensorsFile file = good;
    change(file);
    return error_of<ValueError>([&] { check_digest(file); });
  };
  EXPECT_EQ(refused_after([](auto&) {}), "no error");
  EXPECT_EQ(refused_after([](auto& f) { std::swap(f.tensors[0], f.tensors[1]); }), "no error");
  EXPECT_EQ(refused_after([](auto& f) { f.tensors[0].name = "c"; }), refusal);
  EXPECT_EQ(refused_after([](auto& f) { std::swap(f.tensors[0].name, f.tensors[1].name); }), refusal);
  EXPECT_EQ(refused_after([](auto& f) { f.tensors.pop_back(); }), refusal);
  EXPECT_EQ(refused_after([](auto& f) { f.tensors[2].value = zeros({0}, f32); }), refusal);
  EXPECT_EQ(refused_after([](auto& f) { f.tensors[2].value = zeros({0, 1}, f64); }), refusal);
  EXPECT_EQ(refused_after([](auto& f) { f.tensors[1].value = from(std::vector<std::int64_t>{6}); }), refusal);
  EXPECT_EQ(refused_after([](auto& f) { f.metadata["name"] += "\n"; }), refusal);
  EXPECT_EQ(refused_after([](auto& f) { f.metadata["more"] = ""; }), refusal);
  EXPECT_EQ(refused_after([](auto& f) { f.metadata["digest"] = ""; }), refusal);
}

// The digests as the documents describe them, computed by somebody else's programs.
TEST(Digest, OthersComputeTheSame) {
  const std::string python = python_with("hashlib, json, struct");
  if (python.empty()) GTEST_SKIP() << "there is no Python";
  const TemporaryFolder folder;
  const SafetensorsFile file = example();
  save_safetensors(folder / "file", file.tensors, with_digest(file.tensors, file.metadata));
  write_file_atomically(
      folder / "line",
      with_digest(R"({"z":0.1,"a":{"y":[1,null,true],"x":"ü\n"},"n":1e-5,"one":1.0,"big":1e300})"));
  write_file_atomically(folder / "check.py", R"(
import hashlib, json, struct
def fits(object):
    found = object.pop("digest")
    text = json.dumps(object, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest() == found
assert fits(json.load(open("line", encoding="utf-8")))
data = open("file", "rb").read()
size, = struct.unpack("<Q", data[:8])
header, data = json.loads(data[8:8 + size]), data[8 + size:]
metadata = header.pop("__metadata__")
found, sum = metadata.pop("digest"), hashlib.sha256()
def add(bytes):
    sum.update(b"%d:" % len(bytes))
    sum.update(bytes)
for name in sorted(metadata):
    add(name.encode())
    add(metadata[name].encode())
for name in sorted(header):
    begin, end = header[name]["data_offsets"]
    add(name.encode())
    add(("%s [%s]" % (header[name]["dtype"].lower(), ",".join(map(str, header[name]["shape"])))).encode())
    add(data[begin:end])
assert sum.hexdigest() == found
)");
  EXPECT_EQ(std::system(("cd '" + folder.path() + "' && " + python + " check.py").c_str()), 0);
}

}  // namespace
}  // namespace elk
