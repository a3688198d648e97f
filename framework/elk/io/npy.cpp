#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <optional>
#include <unordered_set>
#include <utility>

#include <elk/base/format.hpp>
#include <elk/io/atomic_file.hpp>
#include <elk/io/npy.hpp>
#include <elk/io/other_files.hpp>
#include <elk/io/zip.hpp>
#include <elk/tensor/storage.hpp>

namespace elk {

namespace {

static_assert(std::endian::native == std::endian::little, "the elements are written little-endian");

constexpr std::string_view magic = "\x93NUMPY", ending = ".npy";
constexpr std::uint64_t largest_tensor = std::uint64_t{1} << 46;  // bytes; as elk::empty

std::string excerpt(std::string_view text) { return shown(text, 40); }

// --- Element types ---

// Types of a file that a tensor does not have.
struct Half {
  std::uint16_t bits;
  explicit operator float() const {
    const int exponent = bits >> 10 & 0x1f, fraction = bits & 0x3ff;
    const double size = exponent == 0x1f ? (fraction ? std::numeric_limits<double>::quiet_NaN()
                                                     : std::numeric_limits<double>::infinity())
                        : exponent == 0  ? std::ldexp(fraction, -24)
                                         : std::ldexp(0x400 + fraction, exponent - 25);
    return static_cast<float>(bits >> 15 ? -size : size);
  }
};
struct Bool {
  std::uint8_t byte;
  explicit operator std::uint8_t() const { return byte != 0; }
};

// How the elements lie in a file.
struct Layout {
  bool swapped;  // the highest byte first
  bool fortran;  // the first axis runs fastest
};

// Elements of type T as the file has them, to those of `to`.
template <class T, class Target>
void convert(const char* from, const Layout& layout, Tensor& to) {
  Target* out = detail::writable<Target>(to);
  const auto element = [&](Index i) {
    std::array<char, sizeof(T)> raw;
    std::memcpy(raw.data(), from + static_cast<std::size_t>(i) * sizeof(T), sizeof(T));
    if (layout.swapped) std::reverse(raw.begin(), raw.end());
    return static_cast<Target>(std::bit_cast<T>(raw));
  };
  const Shape& shape = to.shape();
  const Index count = to.size();
  if (!layout.fortran) {
    for (Index i = 0; i < count; ++i) out[i] = element(i);
    return;
  }
  Shape strides = shape, position = shape;  // in the file; of the element
  for (int axis = 0; axis < shape.rank(); ++axis) {
    strides[axis] = axis == 0 ? 1 : strides[axis - 1] * shape[axis - 1];
    position[axis] = 0;
  }
  Index at = 0;
  for (Index i = 0; i < count; ++i) {
    out[i] = element(at);
    for (int axis = shape.rank() - 1; axis >= 0; --axis) {
      at += strides[axis];
      if (++position[axis] < shape[axis]) break;
      at -= position[axis] * strides[axis];
      position[axis] = 0;
    }
  }
}

struct Format {
  std::string_view code;  // of "descr", behind the byte order
  std::size_t bytes;      // of an element in the file
  DType dtype;
  void (*convert)(const char*, const Layout&, Tensor&);
};

constexpr Format formats[] = {
    {"f4", 4, f32, convert<float, float>},
    {"f8", 8, f64, convert<double, double>},
    {"i8", 8, i64, convert<std::int64_t, std::int64_t>},
    {"u1", 1, u8, convert<std::uint8_t, std::uint8_t>},
    {"b1", 1, u8, convert<Bool, std::uint8_t>},
    {"f2", 2, f32, convert<Half, float>},
    {"i1", 1, i64, convert<std::int8_t, std::int64_t>},
    {"i2", 2, i64, convert<std::int16_t, std::int64_t>},
    {"i4", 4, i64, convert<std::int32_t, std::int64_t>},
    {"u2", 2, i64, convert<std::uint16_t, std::int64_t>},
    {"u4", 4, i64, convert<std::uint32_t, std::int64_t>},
};

// --- Writing ---

// Everything before the elements, byte for byte as NumPy writes it.
std::string format_header(const Tensor& x) {
  if (!x.defined()) fail<ValueError>("[npy] the tensor is undefined");
  const Shape& shape = x.shape();
  const auto* format =
      std::find_if(std::begin(formats), std::end(formats), [&](auto& f) { return f.dtype == x.dtype(); });
  std::string text = fmt::format("{{'descr': '{}{}', 'fortran_order': False, 'shape': ({}{}), }}",
                                 format->bytes == 1 ? '|' : '<', format->code, fmt::join(shape, ", "),
                                 shape.rank() == 1 ? "," : "");
  // NumPy leaves room for the first size to grow to the longest number, and lets the elements begin at a
  // multiple of 64.
  constexpr std::size_t longest_number = 21, alignment = 64;
  if (shape.rank() > 0) text.append(longest_number - std::to_string(shape[0]).size(), ' ');
  const std::size_t before = magic.size() + 4, length = text.size() + 1;
  text.append(alignment - (before + length) % alignment, ' ');
  text += '\n';
  return fmt::format("{}{}{}{}{}{}", magic, '\1', '\0', static_cast<char>(text.size() & 0xff),
                     static_cast<char>(text.size() >> 8), text);
}

std::string_view elements(const Tensor& x) {
  return {detail::readable<char>(x), static_cast<std::size_t>(x.size()) * byte_size(x.dtype())};
}

// Whether `text` is UTF-8: no stray, missing or needless bytes, no surrogates, nothing above U+10FFFF.
bool is_utf8(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const auto first = static_cast<unsigned char>(text[i]);
    const std::size_t length = first < 0x80   ? 1
                               : first < 0xc2 ? 0
                               : first < 0xe0 ? 2
                               : first < 0xf0 ? 3
                               : first < 0xf5 ? 4
                                              : 0;
    if (length == 0 || length > text.size() - i) return false;
    for (std::size_t k = 1; k < length; ++k) {
      const auto next = static_cast<unsigned char>(text[i + k]);
      const unsigned low = k > 1 ? 0x80 : first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
      const unsigned high = k > 1 ? 0xbf : first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
      if (next < low || next > high) return false;
    }
    i += length;
  }
  return true;
}

// --- Reading ---

struct Header {
  const Format* format;
  Layout layout;
  Shape shape;
};

// Reads the header, which is a dictionary in Python's notation, from its front to its end. Only the three
// entries that the format has are taken, so nothing can nest.
class HeaderReader {
 public:
  HeaderReader(std::string_view text, const std::string& file) : text_(text), file_(file) {}

  Header read() {
    std::optional<bool> fortran;
    std::optional<Shape> shape;
    std::string_view descr;
    expect('{');
    while (!accept('}')) {
      const std::string_view key = string("a name");
      expect(':');
      const auto once = [&](bool seen) {
        if (seen) refuse("expected '{}' once in the header, found it twice", key);
      };
      if (key == "descr") {
        once(!descr.empty());
        descr = string("a plain type as 'descr'");
        if (descr.empty()) refuse("expected a plain type as 'descr', found \"\"");
      } else if (key == "fortran_order") {
        once(fortran.has_value());
        fortran = boolean();
      } else if (key == "shape") {
        once(shape.has_value());
        shape = sizes();
      } else {
        refuse("expected 'descr', 'fortran_order' and 'shape' in the header, found {}", excerpt(key));
      }
      if (!accept(',')) {
        expect('}');
        break;
      }
    }
    skip_space();
    if (at_ != text_.size()) unexpected("its end");
    if (descr.empty() || !fortran || !shape)
      refuse("expected '{}' in the header, found none", descr.empty() ? "descr"
                                                        : !fortran    ? "fortran_order"
                                                                      : "shape");
    return {format(descr), {descr[0] == '>', *fortran}, *shape};
  }

 private:
  template <class... Args>
  [[noreturn]] void refuse(fmt::format_string<Args...> text, Args&&... args) const {
    fail<FileError>("[npy] {}: {}", file_, fmt::format(text, std::forward<Args>(args)...));
  }
  [[noreturn]] void unexpected(std::string_view expected) const {
    refuse("expected {} at byte {} of the header, found {}", expected, at_,
           at_ == text_.size() ? "its end" : excerpt(text_.substr(at_)));
  }

  void skip_space() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t' || text_[at_] == '\n')) ++at_;
  }
  bool accept(char c) {
    skip_space();
    if (at_ == text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  void expect(char c) {
    if (!accept(c)) unexpected(fmt::format("'{}'", c));
  }

  // A string without escapes, in either kind of quotes.
  std::string_view string(std::string_view what) {
    skip_space();
    const char quote = at_ < text_.size() ? text_[at_] : '\0';
    if (quote != '\'' && quote != '"') unexpected(what);
    const std::size_t end = text_.find(quote, at_ + 1);
    if (end == text_.npos) unexpected(what);
    const std::string_view content = text_.substr(at_ + 1, end - at_ - 1);
    if (content.find('\\') != content.npos) unexpected(what);
    at_ = end + 1;
    return content;
  }

  bool boolean() {
    skip_space();
    for (const auto& [word, value] : {std::pair<std::string_view, bool>{"True", true}, {"False", false}})
      if (text_.substr(at_).starts_with(word)) {
        at_ += word.size();
        return value;
      }
    unexpected("True or False");
  }

  bool at_digit() const { return at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9'; }

  Index number() {
    skip_space();
    if (!at_digit()) unexpected("a whole number");
    const std::size_t begin = at_;
    Index value = 0;
    for (; at_digit(); ++at_)
      if (__builtin_mul_overflow(value, 10, &value) ||
          __builtin_add_overflow(value, text_[at_] - '0', &value))
        refuse("expected sizes below 2^63, found {}", excerpt(text_.substr(begin)));
    return value;
  }

  // A tuple: (), (3,) or (2, 3).
  Shape sizes() {
    Shape shape;
    expect('(');
    while (!accept(')')) {
      if (shape.rank() == Shape::max_rank) refuse("expected at most {} axes, found more", Shape::max_rank);
      shape.push_back(number());
      if (at_ < text_.size() && text_[at_] == 'L') ++at_;  // Python 2 wrote a long so
      if (accept(',')) continue;
      if (shape.rank() == 1) unexpected("','");  // (3) is a number in Python
      expect(')');
      break;
    }
    return shape;
  }

  const Format* format(std::string_view descr) const {
    const char order = descr[0];
    const auto* format = std::find_if(std::begin(formats), std::end(formats),
                                      [&](auto& f) { return f.code == descr.substr(1); });
    const bool known =
        format != std::end(formats) && (order == '<' || order == '>' || (order == '|' && format->bytes == 1));
    if (descr.substr(1).starts_with('O'))
      refuse("expected numbers, found Python objects, which would have to be unpickled: not safe, not read");
    if (!known)
      refuse("expected the type f2, f4, f8, i1, i2, i4, i8, u1, u2, u4 or b1 with its byte order, found {}",
             excerpt(descr));
    return format;
  }

  std::string_view text_;
  const std::string& file_;
  std::size_t at_ = 0;
};

// How many bytes the elements have in the file.
std::uint64_t bytes_of(const Header& header, const std::string& file) {
  // A size of 0 counts as 1, so that no product of sizes can overflow later; 8 bytes is the widest element.
  std::uint64_t bytes = 8;
  for (const Index size : header.shape)
    if (__builtin_mul_overflow(bytes, std::max<std::uint64_t>(static_cast<std::uint64_t>(size), 1), &bytes) ||
        bytes > largest_tensor)
      fail<FileError>("[npy] {}: expected at most 64 TiB, found shape {}", file, header.shape);
  return static_cast<std::uint64_t>(header.shape.size()) * header.format->bytes;
}

}  // namespace

std::string format_npy(const Tensor& tensor) { return format_header(tensor).append(elements(tensor)); }

void save_npy(const std::string& path, const Tensor& tensor) {
  const std::string header = format_header(tensor);
  AtomicFile file(path);
  file.write(header);
  file.write(elements(tensor));
  file.commit();
}

Tensor load_npy(const std::string& path) { return parse_npy(read_file(path), path); }

Tensor parse_npy(std::string_view bytes, const std::string& file) {
  if (!bytes.starts_with(magic))
    fail<FileError>("[npy] {}: expected a file that begins with {:?}, found {}", file, magic,
                    bytes.empty()                       ? "an empty one"
                    : detail::other_file(bytes).empty() ? excerpt(bytes.substr(0, magic.size()))
                                                        : detail::other_file(bytes));
  bytes.remove_prefix(magic.size());
  const auto byte = [&](std::size_t i) {
    return static_cast<std::size_t>(static_cast<unsigned char>(bytes[i]));
  };
  if (bytes.size() >= 2 && (byte(0) < 1 || byte(0) > 3 || byte(1) != 0))
    fail<FileError>("[npy] {}: expected version 1.0, 2.0 or 3.0, found {}.{}", file, byte(0), byte(1));
  const std::size_t before = bytes.size() >= 2 && byte(0) == 1 ? 4 : 6;  // the version and the header's size
  if (bytes.size() < before)
    fail<FileError>("[npy] {}: expected at least {} bytes, found {}: is the file cut short?", file,
                    magic.size() + before, magic.size() + bytes.size());
  std::size_t header_size = 0;
  for (std::size_t i = before; i-- > 2;) header_size = header_size << 8 | byte(i);
  bytes.remove_prefix(before);
  if (header_size > bytes.size())
    fail<FileError>("[npy] {}: expected a header of {} bytes, found {}: is the file cut short?", file,
                    header_size, bytes.size());
  const Header header = HeaderReader(bytes.substr(0, header_size), file).read();
  bytes.remove_prefix(header_size);

  if (const std::uint64_t expected = bytes_of(header, file); bytes.size() != expected)
    fail<FileError>("[npy] {}: expected {} bytes for {} {}, found {}", file, expected, header.format->code,
                    header.shape, bytes.size());
  Tensor x = empty(header.shape, header.format->dtype);
  header.format->convert(bytes.data(), header.layout, x);
  return x;
}

std::string format_npz(const State& tensors) {
  detail::ZipWriter archive;
  std::unordered_set<std::string_view> names;
  for (const auto& [name, value] : tensors) {
    if (name.empty()) fail<ValueError>("[npz] a tensor has no name");
    if (!is_utf8(name)) fail<ValueError>("[npz] the name {} is not UTF-8", excerpt(name));
    if (name.find('\0') != name.npos)
      fail<ValueError>("[npz] the name {} contains a zero byte", excerpt(name));
    if (!names.insert(name).second) fail<ValueError>("[npz] two tensors are named {}", excerpt(name));
    if (!value.defined()) fail<ValueError>("[npz] tensor {} is undefined", excerpt(name));
    archive.add(name + std::string(ending), format_npy(value));
  }
  return archive.finish();
}

void save_npz(const std::string& path, const State& tensors) {
  write_file_atomically(path, format_npz(tensors));
}

State load_npz(const std::string& path) { return parse_npz(read_file(path), path); }

State parse_npz(std::string_view bytes, const std::string& file) {
  if (const std::string_view other = detail::other_file(bytes);
      !other.empty() && !other.starts_with("a ZIP archive"))
    fail<FileError>("[npz] {}: expected an archive of arrays, found {}", file, other);
  State state;
  std::unordered_set<std::string> names;
  detail::read_zip(bytes, file, [&](const std::string& entry, std::string_view content) {
    const std::string name = entry.substr(0, entry.size() - std::min(entry.size(), ending.size()));
    if (!entry.ends_with(ending) || name.empty() || !is_utf8(name) || name.find('\0') != name.npos)
      fail<FileError>("[npz] {}: expected arrays named like \"x.npy\" in UTF-8, found {}", file,
                      excerpt(entry));
    if (!names.insert(name).second)
      fail<FileError>("[npz] {}: expected each name once, found {} twice", file, excerpt(name));
    state.push_back({name, parse_npy(content, fmt::format("{}: {}", file, excerpt(entry)))});
  });
  return state;
}

}  // namespace elk
