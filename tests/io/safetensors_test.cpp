#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <limits>
#include <string>
#include <vector>

#include <elk/base/error.hpp>
#include <elk/io/atomic_file.hpp>
#include <elk/io/safetensors.hpp>

#include "io/temporary_folder.hpp"

namespace elk {
namespace {

using ::testing::ThrowsMessage;

const std::string golden = ELK_TESTS_DIR "/golden/";

// The elements as bytes: tells -0 from 0 and compares NaN.
std::string bytes_of(const Tensor& x) {
  const auto raw = [&](auto elements) {
    return std::string(reinterpret_cast<const char*>(elements.data()), elements.size_bytes());
  };
  switch (x.dtype()) {
    case DType::f32: return raw(x.data<float>());
    case DType::f64: return raw(x.data<double>());
    case DType::i64: return raw(x.data<std::int64_t>());
    case DType::u8: return raw(x.data<std::uint8_t>());
  }
  return "?";
}

void expect_same(const State& a, const State& b) {
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    EXPECT_EQ(a[i].name, b[i].name);
    EXPECT_EQ(a[i].value.dtype(), b[i].value.dtype()) << a[i].name;
    EXPECT_EQ(a[i].value.shape(), b[i].value.shape()) << a[i].name;
    EXPECT_EQ(bytes_of(a[i].value), bytes_of(b[i].value)) << a[i].name;
  }
}

// What tests/golden/safetensors_files.py writes.
State reference() {
  constexpr float inf = std::numeric_limits<float>::infinity();
  return {{"fc1.weight", from(std::vector<float>{0.5f, -1.25f, 3e-8f, inf, -0.0f, 1.1f}, {2, 3})},
          {"fc1.bias", from({0.1, -1e300}, f64)},
          {"step", from(std::vector<std::int64_t>{std::numeric_limits<std::int64_t>::min()}, {})},
          {"empty", zeros({2, 0, 3})},
          {"pixels", from({0, 1, 255}, u8)},
          {"Gewicht \"é\"\n∞", from(std::vector<std::int64_t>{9007199254740993})}};
}
const Metadata reference_metadata = {{"format", "elkgrad/1"}, {"note", "\tünï\\"}};

TEST(Safetensors, WritesByteForByteWhatPythonWrites) {
  EXPECT_EQ(format_safetensors(reference(), reference_metadata), read_file(golden + "reference.safetensors"));
}

TEST(Safetensors, ReadsWhatPythonWrote) {
  const SafetensorsFile file = load_safetensors(golden + "reference.safetensors");
  expect_same(file.tensors, reference());
  EXPECT_EQ(file.metadata, reference_metadata);
}

TEST(Safetensors, ReadsWhatTheFormatAllowsAndWeDoNotWrite) {
  const SafetensorsFile file = load_safetensors(golden + "foreign.safetensors");
  expect_same(file.tensors, {{"last", from({1.5, -4}, f64)},
                             {"first", scalar(7, u8)},
                             {"middle", full({1, 1}, 2.5)},
                             {"none", zeros({0}, i64)}});
  EXPECT_EQ(file.metadata, (Metadata{{"tool", "numpy é"}}));
}

TEST(Safetensors, RoundTripByWayOfAFile) {
  const TemporaryFolder folder;
  Rng rng(1);
  State state;
  for (const DType dtype : {f32, f64, i64, u8})
    for (const Shape& shape :
         {Shape{}, Shape{1}, Shape{0}, Shape{3}, Shape{2, 3}, Shape{1, 2, 1, 2, 1, 2, 1, 3}}) {
      Tensor x = full(shape, static_cast<double>(rng.integer(0, 256)), dtype);
      state.push_back({name(dtype) + to_string(shape), x});
    }
  state.push_back({"normal", randn({37, 11}, rng, f64)});
  state.push_back({"nan", from({NAN, -INFINITY, -0.0, 1e-45})});
  state.push_back({"\x01\x7f \\ / \" ' {}[]:,", scalar(1)});
  state.push_back({"名前.重み 🦌", scalar(2)});
  state.push_back({std::string("zero\0byte", 9), scalar(3)});
  state.push_back({std::string(5000, 'x'), scalar(4)});
  const Metadata metadata = {{"", "empty name"}, {"empty text", ""}, {"line\n\"quoted\"", "ß\t\\u0041"}};
  save_safetensors(folder / "m.safetensors", state, metadata);
  const SafetensorsFile file = load_safetensors(folder / "m.safetensors");
  expect_same(file.tensors, state);
  EXPECT_EQ(file.metadata, metadata);
  EXPECT_EQ(read_file(folder / "m.safetensors"), format_safetensors(state, metadata));
  EXPECT_EQ(folder.names().size(), 1u);
}

TEST(Safetensors, NothingToSave) {
  EXPECT_EQ(format_safetensors({}), std::string("\x08\0\0\0\0\0\0\0{}      ", 16));
  EXPECT_TRUE(parse_safetensors(format_safetensors({})).tensors.empty());
  const SafetensorsFile file = parse_safetensors(format_safetensors({}, {{"a", "b"}}));
  EXPECT_EQ(file.metadata, (Metadata{{"a", "b"}}));
}

TEST(Safetensors, ElementsBeginAtAMultipleOfEight) {
  for (int length = 1; length < 20; ++length) {
    const std::string bytes =
        format_safetensors({{std::string(static_cast<std::size_t>(length), 'n'), scalar(1, f64)}});
    EXPECT_EQ(bytes.size() % 8, 0u);
  }
}

TEST(Safetensors, RefusesWhatHasNoPlaceInAFile) {
  const TemporaryFolder folder;
  save_safetensors(folder / "m", {{"old", scalar(1)}});
  const auto saving = [&](const State& state, const Metadata& metadata = {}) {
    return [&folder, state, metadata] { save_safetensors(folder / "m", state, metadata); };
  };
  const auto says = [](const std::string& text) { return ThrowsMessage<ValueError>(text); };
  EXPECT_THAT(saving({{"", scalar(1)}}), says("[safetensors] a tensor has no name"));
  EXPECT_THAT(saving({{"a", Tensor()}}), says("[safetensors] tensor \"a\" is undefined"));
  EXPECT_THAT(saving({{"a", scalar(1)}, {"b", scalar(1)}, {"a", scalar(2)}}),
              says("[safetensors] two tensors are named \"a\""));
  EXPECT_THAT(saving({{"__metadata__", scalar(1)}}),
              says("[safetensors] \"__metadata__\" cannot be the name of a tensor"));
  EXPECT_THAT(saving({{"a\xff", scalar(1)}}), says("[safetensors] the name \"a\\xff\" is not UTF-8"));
  EXPECT_THAT(saving({}, {{"\xc3", ""}}), says("[safetensors] the metadata name \"\\xc3\" is not UTF-8"));
  EXPECT_THAT(saving({}, {{"a", "\x80"}}), says("[safetensors] the metadata text \"\\x80\" is not UTF-8"));
  EXPECT_EQ(load_safetensors(folder / "m").tensors[0].name, "old");
  EXPECT_EQ(folder.names().size(), 1u);
}

TEST(Safetensors, FilesThatCannotBeReadOrWritten) {
  const TemporaryFolder folder;
  EXPECT_THAT([&] { load_safetensors(folder / "none"); },
              ThrowsMessage<FileError>("[read] " + (folder / "none") + ": No such file or directory"));
  EXPECT_THAT(([&] {
                save_safetensors(folder / "none/m", {{"a", scalar(1)}});
              }),
              ThrowsMessage<FileError>("[write] " + (folder / "none/m") + ": cannot create a file in " +
                                       (folder / "none/") + ": No such file or directory"));
}

// --- Broken files ---

std::string with_size(std::uint64_t size, const std::string& rest) {
  std::string bytes(8, '\0');
  std::memcpy(bytes.data(), &size, 8);
  return bytes + rest;
}

std::string file_of(const std::string& header, std::size_t data_bytes = 0) {
  return with_size(header.size(), header + std::string(data_bytes, '\1'));
}

// A header with one tensor "w" of these fields.
std::string tensor(const std::string& fields) { return "{\"w\":{" + fields + "}}"; }
std::string tensor(const std::string& dtype, const std::string& shape, const std::string& offsets) {
  return tensor("\"dtype\":" + dtype + ",\"shape\":" + shape + ",\"data_offsets\":" + offsets);
}
std::string entry(const std::string& name, const std::string& shape, const std::string& offsets) {
  return "\"" + name + R"(":{"dtype":"U8","shape":)" + shape + R"(,"data_offsets":)" + offsets + "}";
}

struct Broken {
  const char* what;
  std::string bytes, message;  // the message after "[safetensors] file: "
};

std::vector<Broken> broken_files() {
  const std::string huge = "18446744073709551615";
  return {
      {"no bytes", "", "expected at least 8 bytes, found 0"},
      {"seven bytes", std::string(7, '\0'), "expected at least 8 bytes, found 7"},
      {"absurd header size", with_size(~std::uint64_t{0}, "{}"),
       "expected a header of at most 100000000 bytes, found 18446744073709551615: not a safetensors file?"},
      {"header size above the format's limit", with_size(100'000'001, "{}"),
       "expected a header of at most 100000000 bytes, found 100000001: not a safetensors file?"},
      {"header size beyond the file", with_size(3, "{}"),
       "expected a header of 3 bytes, found 2: is the file cut short?"},
      {"empty header", file_of(""), "expected a header that begins with {, found an empty one"},
      {"a list", file_of("[]"), "expected a header that begins with {, found \"[\""},
      {"a space first", file_of(" {}"), "expected a header that begins with {, found \" \""},
      {"a zip file", with_size(4, "PK\3\4"), "expected a header that begins with {, found \"P\""},
      {"not JSON", file_of("{abc}"), "expected a header in JSON, found a mistake at byte 10"},
      {"JSON cut short", file_of("{\"w\":{\"dtype\""),
       "expected a header in JSON, found a mistake at byte 22"},
      {"two objects", file_of("{}{}"), "expected a header in JSON, found a mistake at byte 11"},
      {"zero bytes as padding", file_of(std::string("{}\0\0", 4)),
       "expected a header in JSON, found a mistake at byte 11"},
      {"more after a zero byte", file_of(std::string("{}\0{\"w\":1}", 10)),
       "expected a header in JSON, found a mistake at byte 11"},
      {"a comment", file_of("{}//"), "expected a header in JSON, found a mistake at byte 11"},
      {"name that is not UTF-8", file_of("{\"\xff\":{}}"),
       "expected a header in JSON, found a mistake at byte 11"},
      {"number that overflows", file_of(tensor("\"F32\"", "[1e999]", "[0,4]")),
       "expected a header in JSON, found a mistake at byte 42"},

      {"entry that is a number", file_of("{\"w\":5}"), "tensor \"w\": expected an object, found 5"},
      {"entry that is null", file_of("{\"w\":null}"), "tensor \"w\": expected an object, found null"},
      {"entry that is a list", file_of("{\"w\":[]}"), "tensor \"w\": expected an object, found a list"},
      {"entry that is a string", file_of("{\"w\":\"x\"}"),
       "tensor \"w\": expected an object, found a string"},
      {"empty name", file_of("{" + entry("", "[]", "[0,1]") + "}", 1),
       "tensor \"\": expected a name, found an empty one"},
      {"name twice", file_of("{" + entry("w", "[]", "[0,1]") + "," + entry("w", "[]", "[1,2]") + "}", 2),
       "tensor \"w\": expected each name once, found it twice"},
      {"name twice, once escaped",
       file_of("{" + entry("w", "[]", "[0,1]") + "," + entry("\\u0077", "[]", "[1,2]") + "}", 2),
       "tensor \"w\": expected each name once, found it twice"},
      {"control characters in a name", file_of("{\"\\u001b[31m\\n\":1}"),
       "tensor \"\\x1b[31m\\n\": expected an object, found 1"},
      {"endless name", file_of("{\"" + std::string(99, 'x') + "\xc3\xa9" + std::string(10000, 'y') + "\":1}"),
       "tensor \"" + std::string(99, 'x') + "\"...: expected an object, found 1"},

      {"unknown field", file_of(tensor(R"("dtype":"F32","strides":[1])")),
       R"(tensor "w": expected "dtype", "shape" and "data_offsets", found "strides")"},
      {"field twice", file_of(tensor(R"("dtype":"F32","dtype":"F64")")),
       "tensor \"w\": expected \"dtype\" once, found it twice"},
      {"no fields", file_of(tensor("")), "tensor \"w\": expected \"dtype\", found none"},
      {"no shape", file_of(tensor(R"("dtype":"F32","data_offsets":[0,4])"), 4),
       "tensor \"w\": expected \"shape\", found none"},
      {"no offsets", file_of(tensor(R"("dtype":"F32","shape":[])"), 4),
       "tensor \"w\": expected \"data_offsets\", found none"},
      {"dtype of another tool", file_of(tensor("\"BF16\"", "[2]", "[0,4]"), 4),
       "tensor \"w\": expected dtype F32, F64, I64 or U8, found \"BF16\""},
      {"dtype in small letters", file_of(tensor("\"f32\"", "[]", "[0,4]"), 4),
       "tensor \"w\": expected dtype F32, F64, I64 or U8, found \"f32\""},
      {"dtype that is a number", file_of(tensor("32", "[]", "[0,4]"), 4),
       "tensor \"w\": expected a string as \"dtype\", found 32"},
      {"dtype that is a list", file_of(tensor("[\"F32\"]", "[]", "[0,4]"), 4),
       "tensor \"w\": expected a string as \"dtype\", found a list"},
      {"shape that is a string", file_of(tensor("\"F32\"", "\"2\"", "[0,4]"), 4),
       "tensor \"w\": expected a list as \"shape\", found a string"},
      {"shape that is a number", file_of(tensor("\"F32\"", "2", "[0,4]"), 4),
       "tensor \"w\": expected a list as \"shape\", found 2"},
      {"shape that is an object", file_of(tensor("\"F32\"", "{}", "[0,4]"), 4),
       "tensor \"w\": expected a list as \"shape\", found an object"},
      {"negative size", file_of(tensor("\"F32\"", "[-1]", "[0,4]"), 4),
       "tensor \"w\": expected whole numbers as \"shape\", found -1"},
      {"broken size", file_of(tensor("\"F32\"", "[1.5]", "[0,4]"), 4),
       "tensor \"w\": expected whole numbers as \"shape\", found 1.5"},
      {"true as a size", file_of(tensor("\"F32\"", "[true]", "[0,4]"), 4),
       "tensor \"w\": expected whole numbers as \"shape\", found true"},
      {"nested shape", file_of(tensor("\"F32\"", "[[1]]", "[0,4]"), 4),
       "tensor \"w\": expected whole numbers as \"shape\", found a list"},
      {"size above 2^63", file_of(tensor("\"U8\"", "[" + huge + "]", "[0,4]"), 4),
       "tensor \"w\": expected whole numbers as \"shape\", found 18446744073709551615"},
      {"size above 2^64", file_of(tensor("\"U8\"", "[" + huge + "0]", "[0,4]"), 4),
       "tensor \"w\": expected whole numbers as \"shape\", found 184467440737095516150"},
      {"nine axes", file_of(tensor("\"U8\"", "[1,1,1,1,1,1,1,1,1]", "[0,1]"), 1),
       "tensor \"w\": expected at most 8 axes, found more"},
      {"product that overflows to 0", file_of(tensor("\"U8\"", "[4294967296,4294967296]", "[0,0]")),
       "tensor \"w\": expected at most 64 TiB, found shape (4294967296, 4294967296)"},
      {"product that overflows to 4", file_of(tensor("\"F32\"", "[4611686018427387905]", "[0,4]"), 4),
       "tensor \"w\": expected at most 64 TiB, found shape (4611686018427387905)"},
      {"overflow beside a zero", file_of(tensor("\"U8\"", "[4611686018427387904,8,0]", "[0,0]")),
       "tensor \"w\": expected at most 64 TiB, found shape (4611686018427387904, 8, 0)"},
      {"shape larger than its bytes", file_of(tensor("\"F32\"", "[3]", "[0,8]"), 8),
       "tensor \"w\": expected 12 bytes for F32 (3), found 8"},
      {"shape smaller than its bytes", file_of(tensor("\"I64\"", "[]", "[0,16]"), 16),
       "tensor \"w\": expected 8 bytes for I64 (), found 16"},
      {"empty shape with bytes", file_of(tensor("\"F32\"", "[0,5]", "[0,4]"), 4),
       "tensor \"w\": expected 0 bytes for F32 (0, 5), found 4"},

      {"one offset", file_of(tensor("\"F32\"", "[]", "[4]"), 4),
       "tensor \"w\": expected two \"data_offsets\", found 1"},
      {"three offsets", file_of(tensor("\"F32\"", "[]", "[0,4,8]"), 4),
       "tensor \"w\": expected two \"data_offsets\", found more"},
      {"negative offset", file_of(tensor("\"F32\"", "[]", "[-4,0]"), 4),
       "tensor \"w\": expected whole numbers as \"data_offsets\", found -4"},
      {"string as an offset", file_of(tensor("\"F32\"", "[]", "[\"0\",4]"), 4),
       "tensor \"w\": expected whole numbers as \"data_offsets\", found a string"},
      {"offsets in the wrong order", file_of(tensor("\"F32\"", "[]", "[4,0]"), 4),
       "tensor \"w\": expected \"data_offsets\" in order and within the file's 4 bytes of data, found 4 and "
       "0"},
      {"offsets beyond the file", file_of(tensor("\"F32\"", "[2]", "[0,8]"), 7),
       "tensor \"w\": expected \"data_offsets\" in order and within the file's 7 bytes of data, found 0 and "
       "8"},
      {"huge offsets",
       file_of(tensor("\"F32\"", "[]", "[" + std::string("18446744073709551611,") + huge + "]"), 4),
       "tensor \"w\": expected \"data_offsets\" in order and within the file's 4 bytes of data, found "
       "18446744073709551611 and 18446744073709551615"},

      {"overlap", file_of("{" + entry("a", "[3]", "[0,3]") + "," + entry("b", "[2]", "[2,4]") + "}", 4),
       "tensor \"b\": expected its data at 3, where the previous tensor ends, found it at 2"},
      {"the same bytes twice",
       file_of("{" + entry("a", "[3]", "[0,3]") + "," + entry("b", "[3]", "[0,3]") + "}", 3),
       "tensor \"b\": expected its data at 3, where the previous tensor ends, found it at 0"},
      {"an empty tensor inside another",
       file_of("{" + entry("a", "[3]", "[0,3]") + "," + entry("b", "[0]", "[1,1]") + "}", 3),
       "tensor \"b\": expected its data at 3, where the previous tensor ends, found it at 1"},
      {"hole", file_of("{" + entry("b", "[1]", "[3,4]") + "," + entry("a", "[2]", "[0,2]") + "}", 4),
       "tensor \"b\": expected its data at 2, where the previous tensor ends, found it at 3"},
      {"hole at the beginning", file_of("{" + entry("a", "[1]", "[1,2]") + "}", 2),
       "tensor \"a\": expected its data at 0, where the previous tensor ends, found it at 1"},
      {"bytes after the last", file_of("{" + entry("a", "[1]", "[0,1]") + "}", 3),
       "expected 1 bytes of data, found 3"},
      {"bytes after nothing", file_of("{}", 1), "expected 0 bytes of data, found 1"},

      {"metadata that is a string", file_of(R"({"__metadata__":"x"})"),
       "__metadata__: expected an object, found a string"},
      {"metadata that is a list", file_of(R"({"__metadata__":[]})"),
       "__metadata__: expected an object, found a list"},
      {"number in the metadata", file_of(R"({"__metadata__":{"epochs":3}})"),
       "__metadata__: expected a string as \"epochs\", found 3"},
      {"null in the metadata", file_of(R"({"__metadata__":{"a":"b","c":null}})"),
       "__metadata__: expected a string as \"c\", found null"},
      {"object in the metadata", file_of(R"({"__metadata__":{"a":{}}})"),
       "__metadata__: expected a string as \"a\", found an object"},
      {"list in the metadata", file_of(R"({"__metadata__":{"a":["b"]}})"),
       "__metadata__: expected a string as \"a\", found a list"},
      {"name twice in the metadata", file_of(R"({"__metadata__":{"a":"b","a":"b"}})"),
       "__metadata__: expected each name once, found \"a\" twice"},
      {"metadata twice", file_of(R"({"__metadata__":{},"__metadata__":{}})"),
       "__metadata__: expected each name once, found it twice"},

      {"a million lists", file_of("{\"w\":" + std::string(1'000'000, '[')),
       "tensor \"w\": expected an object, found a list"},
      {"a million lists in a shape", file_of(tensor("\"shape\":" + std::string(1'000'000, '['))),
       "tensor \"w\": expected whole numbers as \"shape\", found a list"},
      {"a million objects", file_of([] {
         std::string deep;
         for (int i = 0; i < 1'000'000; ++i) deep += "{\"dtype\":";
         return deep;
       }()),
       "tensor \"dtype\": expected a string as \"dtype\", found an object"},
  };
}

TEST(Safetensors, BrokenFilesSayWhatIsWrong) {
  for (const Broken& broken : broken_files()) {
    SCOPED_TRACE(broken.what);
    EXPECT_THAT([&] { parse_safetensors(broken.bytes, "file"); },
                ThrowsMessage<FileError>("[safetensors] file: " + broken.message));
  }
}

TEST(Safetensors, MessagesNameTheFile) {
  const TemporaryFolder folder;
  write_file_atomically(folder / "m.safetensors", "short");
  EXPECT_THAT([&] { load_safetensors(folder / "m.safetensors"); },
              ThrowsMessage<FileError>("[safetensors] " + (folder / "m.safetensors") +
                                       ": expected at least 8 bytes, found 5"));
}

// Either the bytes are a file or they are refused with a FileError. True when they are a file.
bool loads(const std::string& bytes) {
  // A copy of exactly its size on the heap, so that a sanitizer sees any reading beyond it.
  const std::vector<char> exact(bytes.begin(), bytes.end());
  try {
    parse_safetensors({exact.data(), exact.size()});
    return true;
  } catch (const FileError& error) {
    EXPECT_TRUE(std::string(error.what()).starts_with("[safetensors] memory: ")) << error.what();
    return false;
  }
}

TEST(Safetensors, EveryTruncationIsRefused) {
  const std::string bytes = format_safetensors(reference(), reference_metadata);
  ASSERT_TRUE(loads(bytes));
  for (std::size_t length = 0; length < bytes.size(); ++length)
    EXPECT_FALSE(loads(bytes.substr(0, length))) << length;
  EXPECT_FALSE(loads(bytes + '\0'));
}

TEST(Safetensors, DamagedFilesLoadOrAreRefused) {
  const std::string bytes = format_safetensors(reference(), reference_metadata);
  Rng rng(20240607);
  const auto below = [&](std::size_t n) {
    return static_cast<std::size_t>(rng.integer(0, static_cast<Index>(n)));
  };
  const std::string telling = "{}[]\",:0123456789-.eE\\ u\0\x80\xff";
  int loaded = 0;
  constexpr int rounds = 20000;
  for (int round = 0; round < rounds; ++round) {
    std::string damaged = bytes;
    const std::size_t header = 8 + 400;  // where damage matters most
    for (std::size_t changes = 1 + below(3); changes > 0; --changes) {
      const std::size_t at = below(rng.uniform() < 0.9 ? std::min(header, damaged.size()) : damaged.size());
      switch (rng.integer(0, 6)) {
        case 0: damaged[at] = static_cast<char>(damaged[at] ^ (1 << below(8))); break;
        case 1: damaged[at] = static_cast<char>(rng.integer(0, 256)); break;
        case 2: damaged[at] = telling[below(telling.size())]; break;
        case 3: damaged.erase(at, 1 + below(9)); break;
        case 4: damaged.insert(at, 1, telling[below(telling.size())]); break;
        case 5: {  // a piece from elsewhere: repeats names and fields
          const std::string piece = bytes.substr(8 + below(bytes.size() - 8), 1 + below(60));
          damaged.replace(at, piece.size(), piece);
          break;
        }
      }
      if (damaged.empty()) damaged.push_back('x');
    }
    if (rng.uniform() < 0.7 &&
        damaged.size() > 8) {  // let the header's size be right, so that more is reached
      const std::uint64_t size =
          damaged.size() - 8 - std::min<std::size_t>(damaged.size() - 8, 76 + below(2));
      std::memcpy(damaged.data(), &size, 8);
    }
    loaded += loads(damaged);
  }
  RecordProperty("loaded", loaded);
  EXPECT_GT(loaded, 0);  // damage to elements and names does not show
  EXPECT_LT(loaded, rounds / 2);
}

// A process killed in the middle of saving leaves the old file or the new one, at worst beside a temporary.
TEST(Safetensors, KilledWhileSaving) {
  const TemporaryFolder folder;
  const std::string path = folder / "model.safetensors";
  const auto state_of = [](int version) {
    return State{{"version", scalar(version, i64)},
                 {"w", full({256, 256}, version)},
                 {"b", full({1000}, version, f64)}};
  };
  save_safetensors(path, state_of(0));
  Rng rng(5);
  int killed_in_the_middle = 0;
  for (int round = 0; round < 50; ++round) {
    const pid_t child = ::fork();
    if (child == 0) {
      for (int version = 1;; version = version % 100 + 1) save_safetensors(path, state_of(version));
    }
    ASSERT_GT(child, 0);
    ::usleep(static_cast<useconds_t>(rng.integer(500, 20000)));
    ::kill(child, SIGKILL);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);

    const State state = load_safetensors(path).tensors;
    ASSERT_EQ(state.size(), 3u);
    const double version = state[0].value.item();
    EXPECT_THAT(state[1].value.data<float>(), ::testing::Each(static_cast<float>(version)));
    EXPECT_THAT(state[2].value.data<double>(), ::testing::Each(version));
    for (const std::string& name : folder.names()) {
      if (name == "model.safetensors") continue;
      EXPECT_TRUE(name.starts_with("model.safetensors.elk-tmp-" + std::to_string(child) + "-")) << name;
      ++killed_in_the_middle;
      std::filesystem::remove(folder / name);
    }
  }
  RecordProperty("killed_in_the_middle", killed_in_the_middle);
}

}  // namespace
}  // namespace elk
