#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <string>
#include <vector>

#include <elk/base/error.hpp>
#include <elk/io/atomic_file.hpp>
#include <elk/io/npy.hpp>
#include <elk/io/safetensors.hpp>
#include <elk/io/zip.hpp>

#include "io/python.hpp"
#include "io/temporary_folder.hpp"
#include "support.hpp"

namespace elk {
namespace {

using ::testing::ThrowsMessage;
using namespace std::string_literals;

const std::string golden = ELK_TESTS_DIR "/golden/";

// Type, shape and elements to the bit: what NumPy would write.
void expect_same(const State& a, const State& b) {
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    EXPECT_EQ(a[i].name, b[i].name);
    EXPECT_EQ(format_npy(a[i].value), format_npy(b[i].value)) << a[i].name;
  }
}

// What tests/golden/npy_files.py writes.
State reference() {
  constexpr float inf = std::numeric_limits<float>::infinity();
  std::vector<float> hundred;
  for (int i = 0; i < 100; ++i) hundred.push_back(static_cast<float>(i));
  return {{"fc1.weight", from(std::vector<float>{0.5f, -1.25f, 3e-8f, inf, -0.0f, 1.1f}, {2, 3})},
          {"fc1.bias", from({0.1, -1e300}, f64)},
          {"step", from(std::vector<std::int64_t>{std::numeric_limits<std::int64_t>::min()}, {})},
          {"empty", zeros({2, 0, 3})},
          {"pixels", from({0, 1, 254, 255}, {2, 2, 1}, u8)},
          {"größe ∞", from(std::vector<std::int64_t>{9007199254740993})},
          {"long", from(hundred)}};
}

TEST(Npy, WritesByteForByteWhatNumPyWrites) {
  EXPECT_EQ(format_npy(reference()[0].value), read_file(golden + "reference.npy"));
  const State state = reference();
  std::size_t i = 0;
  detail::read_zip(read_file(golden + "reference.npz"), "reference.npz",
                   [&](const std::string& name, std::string_view content) {
                     ASSERT_LT(i, state.size());
                     EXPECT_EQ(name, state[i].name + ".npy");
                     EXPECT_EQ(content, format_npy(state[i].value)) << name;
                     ++i;
                   });
  EXPECT_EQ(i, state.size());
}

TEST(Npy, ReadsWhatNumPyWrote) {
  expect_same({{"x", load_npy(golden + "reference.npy")}}, {{"x", reference()[0].value}});
  expect_same(load_npz(golden + "reference.npz"), reference());
}

TEST(Npy, ReadsWhatWeDoNotWrite) {
  constexpr auto least = std::numeric_limits<std::int64_t>::min(),
                 most = std::numeric_limits<std::int64_t>::max();
  std::vector<float> grid;
  std::vector<std::int64_t> shifted;
  for (int i = 0; i < 24; ++i) {
    grid.push_back(static_cast<float>(i));
    shifted.push_back(i - 12);
  }
  const State state = load_npz(golden + "foreign.npz");
  ASSERT_EQ(state.size(), 14u);
  EXPECT_TRUE(std::isnan(state[11].value.at(6)));
  const std::vector<double> halves = test::values(state[11].value);
  EXPECT_THAT(std::vector<double>(halves.begin(), halves.begin() + 6),
              ::testing::ElementsAre(1, -1.5, std::ldexp(1, -24), 0x3ffp-24, 65504, -INFINITY));
  EXPECT_TRUE(halves[7] == 0 && std::signbit(halves[7]));
  expect_same(state, {{"fortran_f4", from(grid, {2, 3, 4})},
                      {"fortran_big_i2", from(shifted, {2, 3, 4})},
                      {"big_f4", from({1.5, -2})},
                      {"big_f8", from({1e-300, INFINITY}, f64)},
                      {"big_i8", from(std::vector<std::int64_t>{least, most}, {1, 2})},
                      {"i1", from({-128, 127}, i64)},
                      {"i2", from({-32768, 32767}, i64)},
                      {"i4", from({-2147483648., 2147483647}, i64)},
                      {"u2", from({0, 65535}, i64)},
                      {"u4", from({0, 4294967295}, i64)},
                      {"b1", from({1, 0}, u8)},
                      {"f2", state[11].value},
                      {"big_f2", scalar(0.333007812500)},
                      {"fortran_empty", zeros({0, 3}, f64)}});
}

TEST(Npy, RoundTripByWayOfFiles) {
  const TemporaryFolder folder;
  State state;
  Rng rng(1);
  for (const DType dtype : {f32, f64, i64, u8})
    for (const Shape& shape :
         {Shape{}, Shape{1}, Shape{0}, Shape{3}, Shape{2, 3}, Shape{1, 2, 1, 2, 1, 2, 1, 3}})
      state.push_back(
          {name(dtype) + to_string(shape), full(shape, static_cast<double>(rng.integer(0, 256)), dtype)});
  for (NamedTensor& item : state) {
    save_npy(folder / "x.npy", item.value);
    expect_same({{item.name, load_npy(folder / "x.npy")}}, {item});
    EXPECT_EQ(read_file(folder / "x.npy").size() % 64, format_npy(item.value).size() % 64);
  }
  state.push_back({"\x01 \\ / \" ' {}[]:, 🦌", from({NAN, -INFINITY, -0.0, 1e-45})});
  state.push_back({std::string(60000, 'x'), scalar(4)});
  state.push_back({".npy", scalar(5)});
  save_npz(folder / "x.npz", state);
  expect_same(load_npz(folder / "x.npz"), state);
  save_npz(folder / "x.npz", {});
  EXPECT_TRUE(load_npz(folder / "x.npz").empty());
  EXPECT_THAT(folder.names(), ::testing::ElementsAre("x.npy", "x.npz"));
}

TEST(Npy, NumPyReadsWhatWeWrite) {
  const std::string python = python_with("numpy");
  if (python.empty()) GTEST_SKIP() << "there is no Python with NumPy";
  const TemporaryFolder folder;
  save_npz(folder / "x.npz", reference());
  EXPECT_EQ(std::system((python + " " + golden + "npy_files.py check " + (folder / "x.npz")).c_str()), 0);
}

TEST(Npy, RefusesWhatHasNoPlaceInAFile) {
  const TemporaryFolder folder;
  save_npz(folder / "x.npz", {{"old", scalar(1)}});
  const auto saving = [&](const State& state) {
    return [&folder, state] { save_npz(folder / "x.npz", state); };
  };
  const auto says = [](const std::string& text) { return ThrowsMessage<ValueError>(text); };
  EXPECT_THAT(saving({{"", scalar(1)}}), says("[npz] a tensor has no name"));
  EXPECT_THAT(saving({{"a", Tensor()}}), says("[npz] tensor \"a\" is undefined"));
  EXPECT_THAT(saving({{"a", scalar(1)}, {"a", scalar(2)}}), says("[npz] two tensors are named \"a\""));
  for (const char* text :
       {"\xff", "a\xc3", "\xc0\x80", "\xe0\x80\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\x80"})
    EXPECT_THAT(saving({{text, scalar(1)}}), ::testing::Throws<ValueError>()) << text;
  EXPECT_THAT(saving({{"a\xff", scalar(1)}}), says("[npz] the name \"a\\xff\" is not UTF-8"));
  EXPECT_THAT(saving({{"a\0b"s, scalar(1)}}), says("[npz] the name \"a\\x00b\" contains a zero byte"));
  EXPECT_THAT(saving({{std::string(65532, 'x'), scalar(1)}}),
              says("[npz] expected a name of at most 65535 bytes, got 65536"));
  EXPECT_EQ(load_npz(folder / "x.npz").at(0).name, "old");
  EXPECT_THAT([&] { save_npy(folder / "x.npy", Tensor()); }, says("[npy] the tensor is undefined"));
  EXPECT_THAT(folder.names(), ::testing::ElementsAre("x.npz"));
}

// --- Broken arrays ---

std::string file_of(const std::string& header, std::size_t data_bytes = 0) {
  std::string size(2, '\0');
  size[0] = static_cast<char>(header.size() & 0xff);
  size[1] = static_cast<char>(header.size() >> 8);
  return "\x93NUMPY\1\0"s + size + header + std::string(data_bytes, '\1');
}
std::string described(const std::string& descr, const std::string& fortran, const std::string& shape) {
  return "{'descr': " + descr + ", 'fortran_order': " + fortran + ", 'shape': " + shape + ", }\n";
}
std::string shaped(const std::string& shape, std::size_t data_bytes = 0) {
  return file_of(described("'<f4'", "False", shape), data_bytes);
}
std::string typed(const std::string& descr, std::size_t data_bytes = 0) {
  return file_of(described(descr, "False", "()"), data_bytes);
}

struct Broken {
  const char* what;
  std::string bytes, message;  // the message after "[npy] file: "
};

// So many bytes that are no text, as a message shows them.
std::string escaped(int count) {
  std::string text;
  for (int i = 0; i < count; ++i) text += "\\x80";
  return text;
}

std::vector<Broken> broken_arrays() {
  const std::string types =
      "expected the type f2, f4, f8, i1, i2, i4, i8, u1, u2, u4 or b1 with its byte order, found ";
  return {
      {"no bytes", "", "expected a file that begins with \"\\x93NUMPY\", found an empty one"},
      {"another file", "PK\3\4........",
       "expected a file that begins with \"\\x93NUMPY\", found a ZIP archive, such as load_npz reads"},
      {"only the magic", "\x93NUMPY", "expected at least 12 bytes, found 6: is the file cut short?"},
      {"no size", "\x93NUMPY\1\0\1"s, "expected at least 10 bytes, found 9: is the file cut short?"},
      {"no size of version 2", "\x93NUMPY\2\0\1\0"s,
       "expected at least 12 bytes, found 10: is the file cut short?"},
      {"version 0", "\x93NUMPY\0\0\0\0"s, "expected version 1.0, 2.0 or 3.0, found 0.0"},
      {"version 1.1", "\x93NUMPY\1\1\0\0"s, "expected version 1.0, 2.0 or 3.0, found 1.1"},
      {"version 255", "\x93NUMPY\xff\xff\0\0"s, "expected version 1.0, 2.0 or 3.0, found 255.255"},
      {"huge header", "\x93NUMPY\2\0\xff\xff\xff\xff{}"s,
       "expected a header of 4294967295 bytes, found 2: is the file cut short?"},

      {"empty header", file_of(""), "expected '{' at byte 0 of the header, found its end"},
      {"a list", file_of("[]"), "expected '{' at byte 0 of the header, found \"[]\""},
      {"empty dictionary", file_of("{}"), "expected 'descr' in the header, found none"},
      {"no order", file_of("{'descr': '<f4', 'shape': ()}"),
       "expected 'fortran_order' in the header, found none"},
      {"no shape", file_of("{'descr': '<f4', 'fortran_order': True}"),
       "expected 'shape' in the header, found none"},
      {"more after the dictionary", file_of("{'descr': '<f4', 'fortran_order': True, 'shape': ()} x"),
       "expected its end at byte 53 of the header, found \"x\""},
      {"zero bytes as padding", file_of("{'descr': '<f4', 'fortran_order': True, 'shape': ()}\0"s),
       "expected its end at byte 52 of the header, found \"\\x00\""},
      {"unknown name", file_of("{'strides': 1}"),
       "expected 'descr', 'fortran_order' and 'shape' in the header, found \"strides\""},
      {"endless name", file_of("{'" + std::string(9999, 'x') + "': 1}"),
       "expected 'descr', 'fortran_order' and 'shape' in the header, found \"" + std::string(40, 'x') +
           "\"..."},
      {"endless garbage", file_of("{'" + std::string(9999, '\x80') + "': 1}"),
       "expected 'descr', 'fortran_order' and 'shape' in the header, found \"" + escaped(37) + "\"..."},
      {"name twice", file_of("{'shape': (), 'shape': (1,)}"),
       "expected 'shape' once in the header, found it twice"},
      {"type twice", file_of("{'descr': '<f4', \"descr\": '<f4'}"),
       "expected 'descr' once in the header, found it twice"},
      {"order twice", file_of("{'fortran_order': True, 'fortran_order': True}"),
       "expected 'fortran_order' once in the header, found it twice"},
      {"no colon", file_of("{'shape' ()}"), "expected ':' at byte 9 of the header, found \"()}\""},
      {"no comma", file_of("{'shape': () 'descr': 1}"),
       "expected '}' at byte 13 of the header, found \"'descr': 1}\""},
      {"two commas", file_of("{'shape': (),,}"), "expected a name at byte 13 of the header, found \",}\""},
      {"number as a name", file_of("{1: 2}"), "expected a name at byte 1 of the header, found \"1: 2}\""},
      {"string without an end", file_of("{'shape"),
       "expected a name at byte 1 of the header, found \"'shape\""},
      {"escape", file_of("{'sh\\x61pe': ()}"),
       "expected a name at byte 1 of the header, found \"'sh\\\\x61pe': ()}\""},

      {"structure", typed("[('a', '<f4')]"),
       "expected a plain type as 'descr' at byte 10 of the header, found \"[('a', '<f4')], 'fortran_order': "
       "False, \"..."},
      {"no type", typed("''"), "expected a plain type as 'descr', found \"\""},
      {"objects", typed("'|O'"),
       "expected numbers, found Python objects, which would have to be unpickled: not safe, not read"},
      {"text", typed("'<U5'"), types + "\"<U5\""},
      {"complex", typed("'<c8'"), types + "\"<c8\""},
      {"unsigned of 64 bits", typed("'<u8'"), types + "\"<u8\""},
      {"no byte order", typed("'f4'"), types + "\"f4\""},
      {"native byte order", typed("'=f4'"), types + "\"=f4\""},
      {"byte order that says nothing", typed("'|f4'"), types + "\"|f4\""},
      {"only a byte order", typed("'<'"), types + "\"<\""},
      {"wide type", typed("'<f44'"), types + "\"<f44\""},

      {"order as a number", file_of(described("'<f4'", "1", "()")),
       "expected True or False at byte 34 of the header, found \"1, 'shape': (), }\\n\""},
      {"order that goes on", file_of(described("'<f4'", "Falsey", "()")),
       "expected '}' at byte 39 of the header, found \"y, 'shape': (), }\\n\""},

      {"shape as a number", shaped("3"), "expected '(' at byte 50 of the header, found \"3, }\\n\""},
      {"shape as a list", shaped("[3]"), "expected '(' at byte 50 of the header, found \"[3], }\\n\""},
      {"number in brackets", shaped("(3)"), "expected ',' at byte 52 of the header, found \"), }\\n\""},
      {"only a comma", shaped("(,)"), "expected a whole number at byte 51 of the header, found \",), }\\n\""},
      {"negative size", shaped("(-1,)"),
       "expected a whole number at byte 51 of the header, found \"-1,), }\\n\""},
      {"broken size", shaped("(1.5,)"), "expected ',' at byte 52 of the header, found \".5,), }\\n\""},
      {"second size broken", shaped("(1, 2.5)"),
       "expected ')' at byte 55 of the header, found \".5), }\\n\""},
      {"half a long of Python 2", shaped("(1l,)"),
       "expected ',' at byte 52 of the header, found \"l,), }\\n\""},
      {"size in words", shaped("(None,)"),
       "expected a whole number at byte 51 of the header, found \"None,), }\\n\""},
      {"no end", shaped("(1, 2"), "expected a whole number at byte 57 of the header, found \"}\\n\""},
      {"nine axes", shaped("(1, 1, 1, 1, 1, 1, 1, 1, 1)"), "expected at most 8 axes, found more"},
      {"size of 2^63", shaped("(9223372036854775808,)"),
       "expected sizes below 2^63, found \"9223372036854775808,), }\\n\""},
      {"size of a thousand digits", shaped("(" + std::string(1000, '9') + ",)"),
       "expected sizes below 2^63, found \"" + std::string(40, '9') + "\"..."},
      {"product that overflows to 0", shaped("(4294967296, 4294967296)"),
       "expected at most 64 TiB, found shape (4294967296, 4294967296)"},
      {"product that overflows to 4", shaped("(4611686018427387905,)", 4),
       "expected at most 64 TiB, found shape (4611686018427387905)"},
      {"overflow beside a zero", shaped("(4611686018427387904, 8, 0)"),
       "expected at most 64 TiB, found shape (4611686018427387904, 8, 0)"},
      {"thousands of brackets", shaped(std::string(60000, '(')),
       "expected a whole number at byte 51 of the header, found \"" + std::string(40, '(') + "\"..."},
      {"too few bytes", shaped("(3,)", 8), "expected 12 bytes for f4 (3), found 8"},
      {"too many bytes", shaped("(3,)", 13), "expected 12 bytes for f4 (3), found 13"},
      {"bytes of an empty array", shaped("(3, 0)", 1), "expected 0 bytes for f4 (3, 0), found 1"},
      {"widened", file_of(described("'<i2'", "False", "(3,)"), 24), "expected 6 bytes for i2 (3), found 24"},
  };
}

TEST(Npy, BrokenArraysSayWhatIsWrong) {
  for (const Broken& broken : broken_arrays()) {
    SCOPED_TRACE(broken.what);
    EXPECT_THAT([&] { parse_npy(broken.bytes, "file"); },
                ThrowsMessage<FileError>("[npy] file: " + broken.message));
  }
}

TEST(Npy, OtherWaysToWriteAHeader) {
  for (const char* header : {"{\"shape\":(1,),\"descr\":\"<f4\",\"fortran_order\":False}",
                             " {\n'fortran_order' :True , 'shape':\t( 1 ,) ,'descr': '<f4' , } \n"})
    EXPECT_EQ(parse_npy(file_of(header, 4)).shape(), Shape{1}) << header;
  EXPECT_EQ(parse_npy(shaped("(1, 1,)", 4)).shape(), (Shape{1, 1}));
  // NumPy of Python 2.
  EXPECT_EQ(parse_npy(shaped("(1L,)", 4)).shape(), Shape{1});
  EXPECT_EQ(parse_npy(shaped("(1L, 1L)", 4)).shape(), (Shape{1, 1}));
  for (const char* wrong : {"(L,)", "(1LL,)", "(1 L,)", "(1l,)"})
    EXPECT_THROW(parse_npy(shaped(wrong, 4)), FileError) << wrong;
}

TEST(Npz, FilesOfOtherProgramsAreNamed) {
  const auto says = [](const std::string& text) { return ThrowsMessage<FileError>(text); };
  const std::string torch =
      "a file of torch.save, which would have to be unpickled: write its tensors with "
      "safetensors.torch.save_file or numpy.savez";
  detail::ZipWriter archive, arrays;
  archive.add("model/data.pkl", "pickled");  // as torch.save begins
  archive.add("model/data/0", "12345678");
  arrays.add("x.npy", format_npy(zeros({1})));
  const std::string pt = archive.finish(), npz = arrays.finish(),
                    legacy = "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\x02M\xe9\x03."s;
  const std::string pickle = "a Python pickle, which is not safe to read: write its tensors with numpy.savez";
  for (const std::string& bytes : {pt, pt.substr(0, 60), legacy}) {
    EXPECT_THAT([&] { parse_npz(bytes, "x.pt"); },
                says("[npz] x.pt: expected an archive of arrays, found " + torch));
    EXPECT_THAT([&] { parse_npy(bytes, "x.pt"); },
                says("[npy] x.pt: expected a file that begins with \"\\x93NUMPY\", found " + torch));
    EXPECT_THAT([&] { parse_safetensors(bytes, "x.pt"); },
                says("[safetensors] x.pt: expected a safetensors file, found " + torch));
  }
  EXPECT_THAT([&] { parse_npz("\x80\x04\x95\x10", "x.pkl"); },
              says("[npz] x.pkl: expected an archive of arrays, found " + pickle));
  EXPECT_THAT([&] { parse_npz(format_npy(zeros({1})), "x"); },
              says("[npz] x: expected an archive of arrays, found a NumPy array, as load_npy reads it"));
  EXPECT_THAT(
      [&] { parse_npy(npz, "x"); },
      says("[npy] x: expected a file that begins with \"\\x93NUMPY\", found a ZIP archive, such as load_npz "
           "reads"));
  EXPECT_THAT([&] { parse_safetensors("\x89HDF\r\n\x1a\n and so on"s, "x"); },
              says("[safetensors] x: expected a safetensors file, found an HDF5 file"));
  // A header of 640 bytes is no pickle.
  const std::string header = "{}" + std::string(638, ' ');
  EXPECT_TRUE(parse_safetensors("\x80\x02\0\0\0\0\0\0"s + header, "x").tensors.empty());
}

TEST(Npy, MessagesNameTheFile) {
  const TemporaryFolder folder;
  write_file_atomically(folder / "x.npy", "short");
  EXPECT_THAT([&] { load_npy(folder / "x.npy"); },
              ThrowsMessage<FileError>("[npy] " + (folder / "x.npy") +
                                       ": expected a file that begins with \"\\x93NUMPY\", found \"short\""));
  EXPECT_THAT([&] { load_npz(folder / "none"); },
              ThrowsMessage<FileError>("[read] " + (folder / "none") + ": No such file or directory"));
}

// --- Broken archives ---

// An archive whose fields can be anything.
struct Packed {
  std::string name, content;  // as they are in the archive
  std::uint32_t size, crc;    // what the directory claims
  unsigned method = 0, flags = 0;
  std::uint32_t offset = ~0u;  // of the local header, if not where it is
  std::string local_name = name;
};

std::string number(std::uint64_t value, int bytes) {
  std::string text;
  for (; bytes > 0; --bytes, value >>= 8) text.push_back(static_cast<char>(value & 0xff));
  return text;
}

std::uint32_t crc_of(const std::string& bytes) {
  return static_cast<std::uint32_t>(crc32_z(0, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
}

std::string deflated(const std::string& bytes) {
  z_stream stream{};
  EXPECT_EQ(deflateInit2(&stream, 9, Z_DEFLATED, -MAX_WBITS, 9, Z_DEFAULT_STRATEGY), Z_OK);
  std::string packed(deflateBound(&stream, bytes.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_out = static_cast<uInt>(packed.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  packed.resize(stream.total_out);
  deflateEnd(&stream);
  return packed;
}

Packed stored(const std::string& name, const std::string& content) {
  return {name, content, static_cast<std::uint32_t>(content.size()), crc_of(content)};
}
Packed squeezed(const std::string& name, const std::string& content) {
  return {name, deflated(content), static_cast<std::uint32_t>(content.size()), crc_of(content), 8};
}

std::string archive_of(const std::vector<Packed>& entries, const std::string& comment = "") {
  std::string bytes, directory;
  for (const Packed& entry : entries) {
    const std::size_t offset = entry.offset == ~0u ? bytes.size() : entry.offset;
    const std::string common = number(20, 2) + number(entry.flags, 2) + number(entry.method, 2) +
                               number(0, 4) + number(entry.crc, 4) + number(entry.content.size(), 4) +
                               number(entry.size, 4);
    bytes += "PK\3\4" + common + number(entry.local_name.size(), 2) + number(0, 2) + entry.local_name +
             entry.content;
    directory += "PK\1\2" + number(20, 2) + common + number(entry.name.size(), 2) + number(0, 12) +
                 number(offset, 4) + entry.name;
  }
  return bytes + directory + "PK\5\6" + number(0, 4) + number(entries.size(), 2) + number(entries.size(), 2) +
         number(directory.size(), 4) + number(bytes.size(), 4) + number(comment.size(), 2) + comment;
}

std::string with(std::string bytes, std::size_t at, const std::string& change) {
  return bytes.replace(at, change.size(), change);
}

const std::string small = format_npy(from({1, 2}));  // 136 bytes

TEST(Npz, OtherWaysToWriteAnArchive) {
  for (const std::string& bytes :
       {archive_of({stored("a.npy", small)}), archive_of({squeezed("a.npy", small)}),
        archive_of({squeezed("a.npy", small)}, "a comment PK\5\6 of somebody's")})
    expect_same(parse_npz(bytes), {{"a", from({1, 2})}});
  Packed streamed = squeezed("é.npy", small);
  streamed.flags = 1 << 3 | 1 << 11;
  expect_same(parse_npz(archive_of({streamed})), {{"é", from({1, 2})}});
  // What compresses best is within the limit.
  expect_same(parse_npz(archive_of({squeezed("a.npy", format_npy(zeros({1'000'000})))})),
              {{"a", zeros({1'000'000})}});
}

TEST(Npz, BrokenArchivesSayWhatIsWrong) {
  const std::string good = archive_of({stored("a.npy", small)}), packed = deflated(small);
  const std::size_t end = good.size() - 22, directory = end - 46 - 5;
  const auto changed = [](Packed entry, auto change) {
    change(entry);
    return archive_of({entry});
  };
  const Packed a = stored("a.npy", small), z = squeezed("a.npy", small);
  const std::vector<Broken> broken_archives = {
      {"no bytes", "",
       "expected a ZIP archive, found 0 bytes without a directory at their end: is the file cut short?"},
      {"an array", small, "expected an archive of arrays, found a NumPy array, as load_npy reads it"},
      {"bytes after the end", good + "x",
       "expected a ZIP archive, found 245 bytes without a directory at their end: is the file cut short?"},
      {"ZIP64 count", with(good, end + 8, number(0xffffffff, 4)),
       "expected an archive of less than 4 GiB, found ZIP64"},
      {"ZIP64 offset", with(good, end + 16, number(0xffffffff, 4)),
       "expected an archive of less than 4 GiB, found ZIP64"},
      {"second disk", with(good, end + 4, number(1, 2)),
       "expected an archive in one file, found one of several"},
      {"two counts", with(good, end + 8, number(2, 2)),
       "expected an archive in one file, found one of several"},
      {"directory too long", with(good, end + 12, number(52, 4)),
       "expected a directory of 52 bytes at 171, found that the archive ends at 222"},
      {"directory behind the end", with(good, end + 16, number(4000000000, 4)),
       "expected a directory of 51 bytes at 4000000000, found that the archive ends at 222"},
      {"too many entries", with(good, end + 8, number(2, 2) + number(2, 2)),
       "expected an entry of the directory at byte 222, found none"},
      {"too few entries", with(good, end + 8, number(0, 4)),
       "expected 0 entries in the directory, found more bytes than theirs"},
      {"no directory entry", with(good, directory, "XX"),
       "expected an entry of the directory at byte 171, found none"},
      {"name beyond the directory", with(good, directory + 28, number(6, 2)),
       "expected an entry of the directory at byte 171, found one that goes beyond its end"},
      {"ZIP64 size", with(good, directory + 24, number(0xffffffff, 4)),
       "entry \"a.npy\": expected an archive of less than 4 GiB, found ZIP64"},
      {"encrypted", changed(a, [](Packed& e) { e.flags = 1; }),
       "entry \"a.npy\": expected no encryption, found some"},
      {"bzip2", changed(a, [](Packed& e) { e.method = 12; }),
       "entry \"a.npy\": expected method 0 (stored) or 8 (deflated), found 12"},
      {"old encoding", archive_of({stored("\x81.npy", small)}),
       "entry \"\\x81.npy\": expected a name in UTF-8, found another encoding"},
      {"offset into the directory", changed(a, [](Packed& e) { e.offset = 171; }),
       "entry \"a.npy\": expected its content at byte 171, found none"},
      {"offset beyond the file", changed(a, [](Packed& e) { e.offset = 4000000000; }),
       "entry \"a.npy\": expected its content at byte 4000000000, found none"},
      {"offset somewhere", changed(a, [](Packed& e) { e.offset = 1; }),
       "entry \"a.npy\": expected its content at byte 1, found none"},
      {"content beyond the directory", with(good, directory + 20, number(137, 4)),
       "entry \"a.npy\": expected 137 bytes, found that they go beyond the archive's content"},
      {"local name beyond the directory", with(good, 26, number(0xffff, 2)),
       "entry \"a.npy\": expected 136 bytes, found that they go beyond the archive's content"},
      {"two names", changed(a, [](Packed& e) { e.local_name = "b.npy"; }),
       "entry \"a.npy\": expected its name before its content, found \"b.npy\""},
      {"stored size", changed(a, [](Packed& e) { e.size = 135; }),
       "entry \"a.npy\": expected 135 bytes, found 136"},
      {"checksum", changed(a, [](Packed& e) { e.crc = 0x123; }),
       "entry \"a.npy\": expected checksum 00000123, found " +
           [] {
             char text[9];
             std::snprintf(text, sizeof text, "%08x", crc_of(small));
             return std::string(text);
           }()},
      {"deflated size too small", changed(z, [](Packed& e) { e.size = 135; }),
       "entry \"a.npy\": expected " + std::to_string(packed.size()) +
           " bytes that unpack to 135, found a damaged stream"},
      {"deflated size too large", changed(z, [](Packed& e) { e.size = 137; }),
       "entry \"a.npy\": expected " + std::to_string(packed.size()) +
           " bytes that unpack to 137, found a damaged stream"},
      {"deflated and cut short", changed(z, [](Packed& e) { e.content.pop_back(); }),
       "entry \"a.npy\": expected " + std::to_string(packed.size() - 1) +
           " bytes that unpack to 136, found a damaged stream"},
      {"bytes after the stream", changed(z, [](Packed& e) { e.content += 'x'; }),
       "entry \"a.npy\": expected " + std::to_string(packed.size() + 1) +
           " bytes that unpack to 136, found a damaged stream"},
      {"claims gigabytes", changed(z, [](Packed& e) { e.size = 0xfffffffe; }),
       "entry \"a.npy\": expected at most 1032 times its " + std::to_string(packed.size()) +
           " packed bytes, found a size of 4294967294"},
      {"claims something of nothing",
       changed(z,
               [](Packed& e) {
                 e.content.clear();
                 e.size = 1032;
               }),
       "entry \"a.npy\": expected at most 1032 times its 0 packed bytes, found a size of 1032"},
      {"shared bytes",
       [&] {
         Packed again = stored("a.npy", "");
         again.offset = 0;
         return archive_of({a, again});
       }(),
       "entry \"a.npy\": expected bytes of its own, found them shared"},
      {"name twice", archive_of({a, a}), "expected each name once, found \"a\" twice"},
      {"no array", archive_of({stored("readme.txt", "x")}),
       "expected arrays named like \"x.npy\" in UTF-8, found \"readme.txt\""},
      {"a folder", archive_of({stored("x/", "")}),
       "expected arrays named like \"x.npy\" in UTF-8, found \"x/\""},
      {"no name", archive_of({stored("", small)}),
       "expected arrays named like \"x.npy\" in UTF-8, found \"\""},
      {"only the ending", archive_of({stored(".npy", small)}),
       "expected arrays named like \"x.npy\" in UTF-8, found \".npy\""},
  };
  for (const Broken& broken : broken_archives) {
    SCOPED_TRACE(broken.what);
    EXPECT_THAT([&] { parse_npz(broken.bytes, "file"); },
                ThrowsMessage<FileError>("[npz] file: " + broken.message));
  }
  EXPECT_THAT(
      [&] { parse_npz(archive_of({stored("a.npy", "x")}), "file"); },
      ThrowsMessage<FileError>("[npy] file: \"a.npy\": expected a file that begins with \"\\x93NUMPY\", "
                               "found \"x\""));
}

// --- Damage ---

// Either the bytes are a file or they are refused with a FileError. True when they are a file.
template <class Parse>
bool loads(Parse parse, const std::string& bytes) {
  // A copy of exactly its size on the heap, so that a sanitizer sees any reading beyond it.
  const std::vector<char> exact(bytes.begin(), bytes.end());
  try {
    parse(std::string_view(exact.data(), exact.size()), "memory");
    return true;
  } catch (const FileError& error) {
    EXPECT_TRUE(std::string(error.what()).find(" memory: ") != std::string::npos) << error.what();
    return false;
  }
}

template <class Parse>
void expect_safe(Parse parse, const std::string& bytes) {
  ASSERT_TRUE(loads(parse, bytes));
  for (std::size_t length = 0; length < bytes.size(); ++length)
    EXPECT_FALSE(loads(parse, bytes.substr(0, length))) << length;
  EXPECT_FALSE(loads(parse, bytes + '\0'));
  int loaded = 0;
  for (std::size_t at = 0; at < bytes.size(); ++at)
    for (int value = 0; value < 256; ++value)
      loaded += loads(parse, with(bytes, at, std::string(1, static_cast<char>(value))));
  EXPECT_GT(loaded, static_cast<int>(bytes.size()));  // each byte's own value, at least
  EXPECT_LT(loaded, static_cast<int>(bytes.size()) * 128);
}

TEST(Npy, EveryTruncationAndEveryByte) {
  expect_safe(parse_npy, file_of(described("'>i2'", "True", "(2, 3)"), 12));
  expect_safe(parse_npy, file_of(described("'|b1'", "False", "(0, 3)")));
}
TEST(Npz, EveryTruncationAndEveryByte) {
  const std::string tiny = file_of(described("'<f4'", "False", "()"), 4);
  expect_safe(parse_npz, archive_of({squeezed("a.npy", tiny), stored("b.npy", tiny)}));
}

TEST(Npz, DamagedFilesLoadOrAreRefused) {
  const std::string tiny = file_of(described("'<f4'", "False", "(1,)"), 4);
  const std::string bytes = archive_of({squeezed("a.npy", tiny), stored("b.npy", tiny)}),
                    telling = "PK\1\2\3\4\5\6\0\xff"s;
  Rng rng(20240607);
  const auto below = [&](std::size_t n) {
    return static_cast<std::size_t>(rng.integer(0, static_cast<Index>(n)));
  };
  for (int round = 0; round < 20000; ++round) {
    std::string damaged = bytes;
    for (std::size_t changes = 1 + below(4); changes > 0 && !damaged.empty(); --changes) {
      const std::size_t at = below(damaged.size());
      switch (rng.integer(0, 4)) {
        case 0: damaged[at] = telling[below(telling.size())]; break;
        case 1: damaged.erase(at, 1 + below(9)); break;
        case 2: damaged.insert(at, 1, telling[below(telling.size())]); break;
        case 3: damaged.insert(at, bytes.substr(below(bytes.size()), 1 + below(60))); break;
      }
    }
    loads(parse_npz, damaged);
  }
}

}  // namespace
}  // namespace elk
