#include <algorithm>
#include <charconv>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include <elk/base/format.hpp>
#include <elk/data/image_file.hpp>
#include <elk/io/atomic_file.hpp>

#ifdef ELK_PNG
#include <png.h>

#include <csetjmp>
#include <cstdio>
#include <cstring>
#endif

namespace elk {

namespace {

using namespace std::string_view_literals;

constexpr std::size_t most_bytes = std::size_t{1} << 28;
constexpr std::uint64_t most_pixels = 50'000'000;

template <class... Args>
[[noreturn]] void fail(const std::string& path, fmt::format_string<Args...> text, Args&&... args) {
  throw FileError(fmt::format("[image] {} {}", path, fmt::format(text, std::forward<Args>(args)...)));
}

void check_size(const std::string& path, std::uint64_t width, std::uint64_t height) {
  if (width == 0 || height == 0) fail(path, "has no pixels: its size is {} x {}", width, height);
  if (width > most_pixels / height)
    fail(path, "claims {} x {} pixels, expected at most {} in all", width, height, most_pixels);
}

int grey_of(int red, int green, int blue) { return (299 * red + 587 * green + 114 * blue + 500) / 1000; }

#ifdef ELK_PNG

// Pixels red, green, blue, alpha as three planes, or one of a grey image, on a background that shows what is
// visible.
Tensor flatten(const std::vector<std::uint8_t>& rgba, bool grey, Index height, Index width) {
  const auto area = static_cast<std::size_t>(height * width);
  std::uint64_t light = 0, visible = 0;
  for (std::size_t i = 0; i < 4 * area; i += 4) {
    light += static_cast<std::uint64_t>(grey_of(rgba[i], rgba[i + 1], rgba[i + 2]) * rgba[i + 3]);
    visible += rgba[i + 3];
  }
  const int background = light > 127 * visible ? 0 : 255;
  const std::size_t count = grey ? 1 : 3;
  std::vector<std::uint8_t> planes(count * area);
  for (std::size_t i = 0; i < area; ++i) {
    const int alpha = rgba[4 * i + 3];
    for (std::size_t c = 0; c < count; ++c)
      planes[c * area + i] =
          static_cast<std::uint8_t>((rgba[4 * i + c] * alpha + background * (255 - alpha) + 127) / 255);
  }
  return from(planes, grey ? Shape{height, width} : Shape{3, height, width});
}

// Whether the chunks of a PNG go on to its end mark. (libpng stops reading after the last row.)
bool is_whole_png(std::string_view bytes) {
  for (std::size_t at = 8; at + 12 <= bytes.size();) {
    std::size_t length = 0;
    for (std::size_t i = 0; i < 4; ++i) length = length << 8 | static_cast<std::uint8_t>(bytes[at + i]);
    if (bytes.substr(at + 4, 4) == "IEND") return true;
    at += 12 + length;
  }
  return false;
}

// What libpng works on. It reports an error by a jump over all that is between its call and setjmp, so
// nothing there may need its destructor to run.
struct PngSource {
  explicit PngSource(std::string_view file) : bytes(file) {
    png = png_create_read_struct(PNG_LIBPNG_VER_STRING, this, fail_in, ignore);
    if (png != nullptr) info = png_create_info_struct(png);
    if (info == nullptr) png_destroy_read_struct(&png, nullptr, nullptr);
    if (png != nullptr) png_set_read_fn(png, this, take);
  }
  ~PngSource() { png_destroy_read_struct(&png, &info, nullptr); }
  PngSource(const PngSource&) = delete;
  PngSource& operator=(const PngSource&) = delete;

  [[noreturn]] static void fail_in(png_structp png, png_const_charp text) {
    auto& source = *static_cast<PngSource*>(png_get_error_ptr(png));
    std::snprintf(source.problem, sizeof source.problem, "%s", text);
    png_longjmp(png, 1);
  }
  static void ignore(png_structp, png_const_charp) {}  // a warning
  static void take(png_structp png, png_bytep to, std::size_t size) {
    auto& source = *static_cast<PngSource*>(png_get_io_ptr(png));
    if (size > source.bytes.size()) png_error(png, "it ends too early");
    std::memcpy(to, source.bytes.data(), size);
    source.bytes.remove_prefix(size);
  }

  std::string_view bytes;  // that are still to be read
  png_structp png = nullptr;
  png_infop info = nullptr;
  char problem[200] = "there is not enough memory to read it";
};

bool read_head(PngSource& source) {
  if (source.png == nullptr || setjmp(png_jmpbuf(source.png)) != 0) return false;
  png_set_user_limits(source.png, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
  png_read_info(source.png, source.info);
  return true;
}

// Red, green, blue and alpha of 8 bits, whatever the file has, for sRGB. Not by libpng's simplified
// interface, which decodes interlaced images of 16 bits wrongly (1.6.39).
bool read_rows(PngSource& source, std::uint8_t** rows) {
  if (setjmp(png_jmpbuf(source.png)) != 0) return false;
  png_set_expand(source.png);
  png_set_scale_16(source.png);
  png_set_gray_to_rgb(source.png);
  png_set_add_alpha(source.png, 255, PNG_FILLER_AFTER);
  png_set_alpha_mode(source.png, PNG_ALPHA_PNG, PNG_DEFAULT_sRGB);
  png_set_interlace_handling(source.png);
  png_read_update_info(source.png, source.info);
  if (png_get_rowbytes(source.png, source.info) !=
      std::size_t{4} * png_get_image_width(source.png, source.info))
    png_error(source.png, "its rows are of another size than expected");
  png_read_image(source.png, rows);
  return true;
}

Tensor read_png(const std::string& path, std::string_view bytes) {
  PngSource source(bytes);
  if (!read_head(source)) fail(path, "is a damaged PNG: {}", source.problem);
  const std::size_t width = png_get_image_width(source.png, source.info),
                    height = png_get_image_height(source.png, source.info);
  check_size(path, width, height);
  if (!is_whole_png(bytes)) fail(path, "is cut off: the PNG ends after {} bytes", bytes.size());
  // Deflate gives at most 1032 bytes for one.
  if (png_get_rowbytes(source.png, source.info) > (1032 * bytes.size()) / height)
    fail(path, "claims {} x {} pixels, more than its {} bytes can hold", width, height, bytes.size());
  const bool grey = (png_get_color_type(source.png, source.info) & PNG_COLOR_MASK_COLOR) == 0;
  std::vector<std::uint8_t> rgba(4 * width * height);
  std::vector<std::uint8_t*> rows(height);
  for (std::size_t i = 0; i < height; ++i) rows[i] = rgba.data() + 4 * width * i;
  if (!read_rows(source, rows.data())) fail(path, "is a damaged PNG: {}", source.problem);
  return flatten(rgba, grey, static_cast<Index>(height), static_cast<Index>(width));
}

#else

Tensor read_png(const std::string& path, std::string_view) {
  fail(path, "is a PNG image, and elkgrad was built without libpng: install it and build elkgrad again");
}

#endif

class PgmReader {
 public:
  PgmReader(const std::string& path, std::string_view bytes) : path_(path), bytes_(bytes) {}

  Tensor read() {
    const bool binary = bytes_[1] == '5';
    at_ = 2;
    const std::uint64_t width = number("width", 0xffffffff), height = number("height", 0xffffffff);
    most_ = number("largest value", 65535);
    if (most_ == 0) fail(path_, "has a largest value of 0, expected 1 to 65535");
    check_size(path_, width, height);
    const std::uint64_t area = width * height;
    if (binary) {
      if (at_ == bytes_.size() || !is_space(bytes_[at_]))
        fail(path_, "lacks a space after its largest value");
      ++at_;
      const std::uint64_t expected = area * (most_ > 255 ? 2 : 1), found = bytes_.size() - at_;
      if (found != expected)
        fail(path_, "has the wrong size: expected {} bytes of pixels, found {}", expected, found);
    } else if (bytes_.size() - at_ < 2 * area) {  // a space and a digit each
      fail(path_, "is cut off: {} bytes are too few for {} x {} pixels", bytes_.size() - at_, width, height);
    }
    std::vector<std::uint8_t> pixels(area);
    for (std::uint8_t& pixel : pixels) {
      const std::uint64_t value = binary ? raw() : number("pixel", most_);
      if (value > most_) fail(path_, "has a pixel of {}, expected at most {}", value, most_);
      pixel = static_cast<std::uint8_t>((value * 255 + most_ / 2) / most_);
    }
    skip_space();
    if (!binary && at_ != bytes_.size()) fail(path_, "goes on after its last pixel");
    return from(pixels, {static_cast<Index>(height), static_cast<Index>(width)});
  }

 private:
  static bool is_space(char c) { return " \t\n\v\f\r"sv.find(c) != std::string_view::npos; }

  // Spaces, and comments from # to the end of a line.
  void skip_space() {
    for (; at_ < bytes_.size() && (is_space(bytes_[at_]) || bytes_[at_] == '#'); ++at_)
      if (bytes_[at_] == '#') at_ = std::min(bytes_.find('\n', at_), bytes_.size() - 1);
  }

  std::uint64_t number(const char* what, std::uint64_t most) {
    const std::size_t before = at_;
    skip_space();
    std::uint64_t value = 0;
    const char* const end = bytes_.data() + bytes_.size();
    const auto [next, error] = std::from_chars(bytes_.data() + at_, end, value);
    if (error == std::errc::invalid_argument || before == at_ ||
        (next != end && !is_space(*next) && *next != '#'))
      fail(path_, "is a damaged PGM: expected a number ({}) at byte {}", what, at_);
    if (error != std::errc() || value > most) fail(path_, "has a {} above {}", what, most);
    at_ = static_cast<std::size_t>(next - bytes_.data());
    return value;
  }

  std::uint64_t raw() {
    const auto byte = [&] { return static_cast<std::uint64_t>(static_cast<std::uint8_t>(bytes_[at_++])); };
    const std::uint64_t first = byte();
    return most_ > 255 ? first << 8 | byte() : first;
  }

  const std::string& path_;
  std::string_view bytes_;
  std::size_t at_ = 0;
  std::uint64_t most_ = 0;
};

// What a file of another format is.
std::string_view other_format(std::string_view bytes) {
  constexpr std::pair<std::string_view, std::string_view> known[] = {
      {"\xff\xd8"sv, "a JPEG image"}, {"GIF8"sv, "a GIF image"},    {"BM"sv, "a BMP image"},
      {"RIFF"sv, "a WebP image"},     {"II*\0"sv, "a TIFF image"},  {"MM\0*"sv, "a TIFF image"},
      {"P1"sv, "a PBM image"},        {"P3"sv, "a PPM image"},      {"P4"sv, "a PBM image"},
      {"P6"sv, "a PPM image"},        {"%PDF"sv, "a PDF document"}, {"<"sv, "an SVG image or a web page"},
  };
  for (const auto& [start, what] : known)
    if (bytes.starts_with(start)) return what;
  return "not an image";
}

}  // namespace

Tensor read_image(const std::string& path) {
  const std::string bytes = read_file(path, most_bytes);
  if (bytes.empty()) fail(path, "is empty (0 bytes)");
  if (bytes.starts_with("\x89PNG\r\n\x1a\n"sv)) return read_png(path, bytes);
  if (bytes.starts_with("P5") || bytes.starts_with("P2")) return PgmReader(path, bytes).read();
  fail(path, "is {}, expected PNG or PGM", other_format(bytes));
}

Tensor to_grey(const Tensor& image) {
  if (image.rank() != 2 && (image.rank() != 3 || image.size(0) != 3))
    fail<ShapeError>("[to_grey] expected an image (3, H, W) or (H, W), got {}", image.shape());
  if (image.dtype() != u8) fail<DTypeError>("[to_grey] expected u8, got {}", image.dtype());
  if (image.rank() == 2) return image;
  const auto pixels = image.data<std::uint8_t>();
  const auto area = static_cast<std::size_t>(image.size(1) * image.size(2));
  std::vector<std::uint8_t> grey(area);
  for (std::size_t i = 0; i < area; ++i)
    grey[i] = static_cast<std::uint8_t>(grey_of(pixels[i], pixels[area + i], pixels[2 * area + i]));
  return from(grey, {image.size(1), image.size(2)});
}

}  // namespace elk
