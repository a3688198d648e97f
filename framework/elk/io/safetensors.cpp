#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>
#include <limits>
#include <unordered_set>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include <elk/base/format.hpp>
#include <elk/io/atomic_file.hpp>
#include <elk/io/other_files.hpp>
#include <elk/io/safetensors.hpp>
#include <elk/tensor/storage.hpp>

namespace elk {

namespace {

static_assert(std::endian::native == std::endian::little, "the elements of a file are little-endian");

constexpr std::uint64_t prefix = sizeof(std::uint64_t);           // bytes before the header: its size
constexpr std::uint64_t longest_header = 100'000'000;             // the format's own limit
constexpr std::uint64_t largest_tensor = std::uint64_t{1} << 46;  // bytes; as elk::empty
constexpr std::string_view metadata_name = "__metadata__";

constexpr std::pair<DType, std::string_view> formats[] = {
    {f32, "F32"}, {f64, "F64"}, {i64, "I64"}, {u8, "U8"}};

std::string_view format_of(DType dtype) {
  return std::find_if(std::begin(formats), std::end(formats), [&](auto& f) { return f.first == dtype; })
      ->second;
}

// --- Writing ---

// JSON text of a string; `what` says whose it is when it has no place in a file.
std::string json_string(const std::string& text, const char* what) {
  try {
    return nlohmann::json(text).dump();
  } catch (const nlohmann::json::exception&) {
    fail<ValueError>("[safetensors] {} {} is not UTF-8", what, shown(text));
  }
}

std::uint64_t bytes_of(const Tensor& x) {
  return static_cast<std::uint64_t>(x.size()) * byte_size(x.dtype());
}

// Everything before the elements.
std::string format_header(const State& tensors, const Metadata& metadata) {
  std::vector<std::string> fields;
  if (!metadata.empty()) {
    std::vector<std::string> texts;
    for (const auto& [key, text] : metadata)
      texts.push_back(json_string(key, "the metadata name") + ':' + json_string(text, "the metadata text"));
    fields.push_back(fmt::format("\"{}\":{{{}}}", metadata_name, fmt::join(texts, ",")));
  }
  std::unordered_set<std::string_view> names;
  std::uint64_t offset = 0;
  for (const auto& [name, value] : tensors) {
    if (name.empty()) fail<ValueError>("[safetensors] a tensor has no name");
    if (name == metadata_name)
      fail<ValueError>("[safetensors] {} cannot be the name of a tensor", shown(name));
    if (!names.insert(name).second) fail<ValueError>("[safetensors] two tensors are named {}", shown(name));
    if (!value.defined()) fail<ValueError>("[safetensors] tensor {} is undefined", shown(name));
    const std::uint64_t end = offset + bytes_of(value);
    fields.push_back(fmt::format("{}:{{\"dtype\":\"{}\",\"shape\":[{}],\"data_offsets\":[{},{}]}}",
                                 json_string(name, "the name"), format_of(value.dtype()),
                                 fmt::join(value.shape(), ","), offset, end));
    offset = end;
  }
  std::string header = fmt::format("{{{}}}", fmt::join(fields, ","));
  header.append(-header.size() % prefix, ' ');  // so that the elements begin at a multiple of 8
  if (header.size() > longest_header)
    fail<ValueError>("[safetensors] the names and the metadata need {} bytes; the format's limit is {}",
                     header.size(), longest_header);
  std::string size(prefix, '\0');
  const std::uint64_t count = header.size();
  std::memcpy(size.data(), &count, prefix);
  return size + header;
}

std::string_view elements(const Tensor& x) {
  return {detail::readable<char>(x), static_cast<std::size_t>(bytes_of(x))};
}

// --- Reading ---

// A tensor as the header describes it.
struct Entry {
  std::string name;
  DType dtype;
  Shape shape;
  std::uint64_t begin, end;  // of its elements, from the end of the header
};

// Receives the header's parts from the JSON parser in the order of the text, so that names given twice are
// noticed, and refuses each one at once where it has no place, so that nothing unexpected is ever stored or
// nested.
class HeaderReader : public nlohmann::json_sax<nlohmann::json> {
 public:
  explicit HeaderReader(const std::string& file) : file_(file) {}

  std::vector<Entry> entries;
  Metadata metadata;

  bool null() override { unexpected("null"); }
  bool boolean(bool value) override { unexpected(value ? "true" : "false"); }
  bool number_integer(number_integer_t value) override { unexpected(std::to_string(value)); }
  bool number_float(number_float_t, const string_t& text) override { unexpected(text.substr(0, 40)); }
  bool binary(binary_t&) override { unexpected("bytes"); }

  bool number_unsigned(number_unsigned_t value) override {
    if (place_ == Place::shape) {
      if (value > static_cast<std::uint64_t>(std::numeric_limits<Index>::max()))
        unexpected(std::to_string(value));
      if (entry_.shape.rank() == Shape::max_rank)
        refuse(fmt::format("expected at most {} axes, found more", Shape::max_rank));
      entry_.shape.push_back(static_cast<Index>(value));
    } else if (place_ == Place::offsets) {
      if (offsets_ == 2) refuse("expected two \"data_offsets\", found more");
      (offsets_++ == 0 ? entry_.begin : entry_.end) = value;
    } else {
      unexpected(std::to_string(value));
    }
    return true;
  }

  bool string(string_t& text) override {
    if (place_ == Place::metadata) {
      metadata[key_] = std::move(text);
    } else if (place_ == Place::entry && key_ == "dtype") {
      const auto* format =
          std::find_if(std::begin(formats), std::end(formats), [&](auto& f) { return f.second == text; });
      if (format == std::end(formats))
        refuse(fmt::format("expected dtype F32, F64, I64 or U8, found {}", shown(text)));
      entry_.dtype = format->first;
    } else {
      unexpected("a string");
    }
    return true;
  }

  bool start_object(std::size_t) override {
    if (place_ == Place::file) {
      place_ = Place::header;
    } else if (place_ == Place::header) {
      place_ = key_ == metadata_name ? Place::metadata : Place::entry;
    } else {
      unexpected("an object");
    }
    return true;
  }

  bool key(string_t& text) override {
    key_ = std::move(text);
    if (place_ == Place::header) {
      entry_ = {key_, f32, {}, 0, 0};
      fields_ = offsets_ = 0;
      if (key_.empty()) refuse("expected a name, found an empty one");
      if (!names_.insert(key_).second) refuse("expected each name once, found it twice");
    } else if (place_ == Place::metadata) {
      if (metadata.contains(key_))
        refuse(fmt::format("expected each name once, found {} twice", shown(key_)));
    } else {
      const auto* field = std::find(std::begin(field_names), std::end(field_names), key_);
      if (field == std::end(field_names))
        refuse(fmt::format("expected \"dtype\", \"shape\" and \"data_offsets\", found {}", shown(key_)));
      const int bit = 1 << (field - field_names);
      if (fields_ & bit) refuse(fmt::format("expected \"{}\" once, found it twice", *field));
      fields_ |= bit;
    }
    return true;
  }

  bool end_object() override {
    if (place_ == Place::entry) {
      for (int i = 0; i < 3; ++i)
        if (!(fields_ & (1 << i))) refuse(fmt::format("expected \"{}\", found none", field_names[i]));
      entries.push_back(std::move(entry_));
    }
    place_ = place_ == Place::header ? Place::file : Place::header;
    return true;
  }

  bool start_array(std::size_t) override {
    if (place_ != Place::entry || key_ == "dtype") unexpected("a list");
    place_ = key_ == "shape" ? Place::shape : Place::offsets;
    return true;
  }

  bool end_array() override {
    if (place_ == Place::offsets && offsets_ != 2)
      refuse(fmt::format("expected two \"data_offsets\", found {}", offsets_));
    place_ = Place::entry;
    return true;
  }

  bool parse_error(std::size_t position, const std::string&, const nlohmann::json::exception&) override {
    not_json(position);
  }

  /// `position` counts from 1, as the parser's.
  [[noreturn]] void not_json(std::size_t position) const {
    fail<FileError>("[safetensors] {}: expected a header in JSON, found a mistake at byte {}", file_,
                    prefix + position);
  }

 private:
  enum class Place { file, header, metadata, entry, shape, offsets };
  static constexpr std::string_view field_names[] = {"dtype", "shape", "data_offsets"};

  [[noreturn]] void refuse(const std::string& why) const {
    if (entry_.name == metadata_name) fail<FileError>("[safetensors] {}: {}: {}", file_, metadata_name, why);
    fail<FileError>("[safetensors] {}: tensor {}: {}", file_, shown(entry_.name), why);
  }

  [[noreturn]] void unexpected(const std::string& found) const {
    const auto expected = [this]() -> std::string {
      switch (place_) {
        case Place::metadata: return fmt::format("a string as {}", shown(key_));
        case Place::entry:
          return key_ == "dtype" ? "a string as \"dtype\"" : fmt::format("a list as \"{}\"", key_);
        case Place::shape: return "whole numbers as \"shape\"";
        case Place::offsets: return "whole numbers as \"data_offsets\"";
        default: return "an object";
      }
    };
    refuse(fmt::format("expected {}, found {}", expected(), found));
  }

  const std::string& file_;
  Place place_ = Place::file;
  std::string key_;
  Entry entry_{};
  int fields_ = 0, offsets_ = 0;  // which fields of the entry have been seen, as bits; how many offsets
  std::unordered_set<std::string> names_;
};

// Refuses entries whose bytes are not the whole of their shape, or that do not fill the file one after
// another.
void check_layout(const std::vector<Entry>& entries, std::uint64_t file_bytes, const std::string& file) {
  const auto refuse = [&](const Entry& entry, const std::string& why) {
    fail<FileError>("[safetensors] {}: tensor {}: {}", file, shown(entry.name), why);
  };
  std::vector<const Entry*> sorted;
  for (const Entry& entry : entries) {
    // A size of 0 counts as 1, so that no product of sizes can overflow later.
    std::uint64_t bytes = byte_size(entry.dtype);
    bool none = false;
    for (const Index size : entry.shape) {
      none = none || size == 0;
      if (__builtin_mul_overflow(bytes, std::max<std::uint64_t>(static_cast<std::uint64_t>(size), 1),
                                 &bytes) ||
          bytes > largest_tensor)
        refuse(entry, fmt::format("expected at most 64 TiB, found shape {}", entry.shape));
    }
    if (none) bytes = 0;
    if (entry.begin > entry.end || entry.end > file_bytes)
      refuse(entry, fmt::format(
                        "expected \"data_offsets\" in order and within the file's {} bytes of data, found {} "
                        "and {}",
                        file_bytes, entry.begin, entry.end));
    if (entry.end - entry.begin != bytes)
      refuse(entry, fmt::format("expected {} bytes for {} {}, found {}", bytes, format_of(entry.dtype),
                                entry.shape, entry.end - entry.begin));
    sorted.push_back(&entry);
  }
  std::sort(sorted.begin(), sorted.end(), [](const Entry* a, const Entry* b) {
    return std::pair(a->begin, a->end) < std::pair(b->begin, b->end);
  });
  std::uint64_t end = 0;
  for (const Entry* entry : sorted) {
    if (entry->begin != end)
      refuse(*entry, fmt::format("expected its data at {}, where the previous tensor ends, found it at {}",
                                 end, entry->begin));
    end = entry->end;
  }
  if (end != file_bytes)
    fail<FileError>("[safetensors] {}: expected {} bytes of data, found {}", file, end, file_bytes);
}

}  // namespace

void save_safetensors(const std::string& path, const State& tensors, const Metadata& metadata) {
  const std::string header = format_header(tensors, metadata);
  AtomicFile file(path);
  file.write(header);
  for (const auto& tensor : tensors) file.write(elements(tensor.value));
  file.commit();
}

std::string format_safetensors(const State& tensors, const Metadata& metadata) {
  std::string bytes = format_header(tensors, metadata);
  for (const auto& tensor : tensors) bytes += elements(tensor.value);
  return bytes;
}

SafetensorsFile load_safetensors(const std::string& path) { return parse_safetensors(read_file(path), path); }

SafetensorsFile parse_safetensors(std::string_view bytes, const std::string& file) {
  if (bytes.size() < prefix)
    fail<FileError>("[safetensors] {}: expected at least {} bytes, found {}", file, prefix, bytes.size());
  const std::string_view all = bytes;
  std::uint64_t header_size;
  std::memcpy(&header_size, bytes.data(), prefix);
  bytes.remove_prefix(prefix);
  if (const std::string_view other = detail::other_file(all); header_size > longest_header && !other.empty())
    fail<FileError>("[safetensors] {}: expected a safetensors file, found {}", file, other);
  if (header_size > longest_header)
    fail<FileError>(
        "[safetensors] {}: expected a header of at most {} bytes, found {}: not a safetensors file?", file,
        longest_header, header_size);
  if (header_size > bytes.size())
    fail<FileError>("[safetensors] {}: expected a header of {} bytes, found {}: is the file cut short?", file,
                    header_size, bytes.size());
  const std::string_view header = bytes.substr(0, header_size);
  bytes.remove_prefix(header_size);
  if (!header.starts_with('{'))
    fail<FileError>("[safetensors] {}: expected a header that begins with {{, found {}", file,
                    header.empty() ? "an empty one" : shown(header.substr(0, 1)));

  HeaderReader reader(file);
  if (const std::size_t zero = header.find('\0'); zero != header.npos)
    reader.not_json(zero + 1);  // the parser takes it for the end and would not look at what follows
  nlohmann::json::sax_parse(header.begin(), header.end(), &reader);
  check_layout(reader.entries, bytes.size(), file);

  SafetensorsFile result{{}, std::move(reader.metadata)};
  for (Entry& entry : reader.entries) {
    Tensor x = empty(entry.shape, entry.dtype);
    if (entry.begin != entry.end)
      std::memcpy(detail::writable<char>(x), bytes.data() + entry.begin, entry.end - entry.begin);
    result.tensors.push_back({std::move(entry.name), std::move(x)});
  }
  return result;
}

}  // namespace elk
