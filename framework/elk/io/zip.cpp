#include <zlib.h>

#include <algorithm>
#include <cstdint>
#include <new>
#include <utility>
#include <vector>

#include <elk/base/format.hpp>
#include <elk/io/zip.hpp>

namespace elk::detail {

namespace {

using namespace std::string_view_literals;

constexpr std::size_t local_size = 30, central_size = 46, end_size = 22;    // headers without their names
constexpr std::size_t most_entries = 0xfffe, longest_archive = 0xfffffffe;  // more stands for ZIP64
constexpr unsigned encrypted = 1 << 0, utf8 = 1 << 11;                      // flags
constexpr unsigned stored = 0, deflated = 8;                                // methods

// A number of 1 to 8 bytes, the lowest first.
void put(std::string& to, std::uint64_t value, int bytes) {
  for (; bytes > 0; --bytes, value >>= 8) to.push_back(static_cast<char>(value & 0xff));
}

std::uint32_t checksum(std::string_view bytes) {
  return static_cast<std::uint32_t>(crc32_z(0, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
}

bool is_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

// --- Reading ---

class ZipReader {
 public:
  ZipReader(std::string_view bytes, const std::string& file) : bytes_(bytes), file_(file) {}

  void read(const std::function<void(const std::string&, std::string_view)>& visit);

 private:
  // An entry as the directory describes it.
  struct Entry {
    std::string name;
    unsigned flags, method;
    std::uint32_t crc;
    std::size_t packed, size, offset;  // `offset` of its local header
  };

  // The number of `count` bytes at `at`, which the caller knows to be within the archive.
  std::uint32_t number(std::size_t at, std::size_t count) const {
    std::uint32_t value = 0;
    for (std::size_t i = count; i-- > 0;) value = value << 8 | static_cast<unsigned char>(bytes_[at + i]);
    return value;
  }
  bool is_at(std::size_t at, std::string_view signature) const {
    return at <= bytes_.size() && bytes_.substr(at).starts_with(signature);
  }
  template <class... Args>
  [[noreturn]] void refuse(fmt::format_string<Args...> text, Args&&... args) const {
    fail<FileError>("[npz] {}: {}", file_, fmt::format(text, std::forward<Args>(args)...));
  }

  template <class... Args>
  [[noreturn]] void refuse(const Entry& entry, fmt::format_string<Args...> text, Args&&... args) const {
    refuse("entry {}: {}", shown(entry.name), fmt::format(text, std::forward<Args>(args)...));
  }

  std::size_t find_end() const;
  Entry read_directory(std::size_t& at, std::size_t end) const;
  std::string_view packed_content(const Entry& entry, std::size_t directory) const;
  std::string unpack(const Entry& entry, std::string_view packed) const;

  std::string_view bytes_;
  const std::string& file_;
};

// The record at the end of the archive, behind which there is only a comment.
std::size_t ZipReader::find_end() const {
  constexpr std::size_t longest_comment = 0xffff;
  if (bytes_.size() >= end_size) {
    const std::size_t last = bytes_.size() - end_size;
    for (std::size_t comment = 0; comment <= std::min(last, longest_comment); ++comment)
      if (is_at(last - comment, "PK\5\6"sv) && number(last - comment + 20, 2) == comment)
        return last - comment;
  }
  refuse("expected a ZIP archive, found {} bytes without a directory at their end: is the file cut short?",
         bytes_.size());
}

ZipReader::Entry ZipReader::read_directory(std::size_t& at, std::size_t end) const {
  if (end - at < central_size || !is_at(at, "PK\1\2"sv))
    refuse("expected an entry of the directory at byte {}, found none", at);
  const std::size_t name = number(at + 28, 2), extra = number(at + 30, 2), comment = number(at + 32, 2);
  if (end - at - central_size < name + extra + comment)
    refuse("expected an entry of the directory at byte {}, found one that goes beyond its end", at);
  Entry entry{.name = std::string(bytes_.substr(at + central_size, name)),
              .flags = number(at + 8, 2),
              .method = number(at + 10, 2),
              .crc = number(at + 16, 4),
              .packed = number(at + 20, 4),
              .size = number(at + 24, 4),
              .offset = number(at + 42, 4)};
  if (std::max({entry.packed, entry.size, entry.offset}) > longest_archive)
    refuse(entry, "expected an archive of less than 4 GiB, found ZIP64");
  if (entry.flags & encrypted) refuse(entry, "expected no encryption, found some");
  if (entry.method != stored && entry.method != deflated)
    refuse(entry, "expected method 0 (stored) or 8 (deflated), found {}", entry.method);
  if (!(entry.flags & utf8) && !is_ascii(entry.name))
    refuse(entry, "expected a name in UTF-8, found another encoding");
  at += central_size + name + extra + comment;
  return entry;
}

// Its bytes as they are in the archive, which end before `directory`.
std::string_view ZipReader::packed_content(const Entry& entry, std::size_t directory) const {
  const std::size_t at = entry.offset;
  if (at > directory || directory - at < local_size || !is_at(at, "PK\3\4"sv))
    refuse(entry, "expected its content at byte {}, found none", at);
  const std::size_t name = number(at + 26, 2), extra = number(at + 28, 2), room = directory - at - local_size;
  if (name + extra > room || entry.packed > room - name - extra)
    refuse(entry, "expected {} bytes, found that they go beyond the archive's content", entry.packed);
  if (const std::string_view found = bytes_.substr(at + local_size, name); found != entry.name)
    refuse(entry, "expected its name before its content, found {}", shown(found));
  return bytes_.substr(at + local_size + name + extra, entry.packed);
}

std::string ZipReader::unpack(const Entry& entry, std::string_view packed) const {
  constexpr std::size_t most_per_byte = 1032;  // what deflate can do
  if (entry.size / most_per_byte > packed.size())
    refuse(entry, "expected at most {} times its {} packed bytes, found a size of {}", most_per_byte,
           packed.size(), entry.size);
  std::string content;
  try {
    content.resize(entry.size + 1);  // the one more shows a stream that goes on
  } catch (const std::bad_alloc&) {
    refuse(entry, "its {} bytes do not fit into memory", entry.size);
  }
  z_stream stream{};
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data()));
  stream.avail_in = static_cast<uInt>(packed.size());
  stream.next_out = reinterpret_cast<Bytef*>(content.data());
  stream.avail_out = static_cast<uInt>(content.size());
  constexpr int no_header = -MAX_WBITS;
  if (inflateInit2(&stream, no_header) != Z_OK) throw Error("[npz] zlib has no memory to unpack with");
  const int code = inflate(&stream, Z_FINISH);
  const std::size_t found = content.size() - stream.avail_out;
  inflateEnd(&stream);
  if (code != Z_STREAM_END || found != entry.size || stream.avail_in != 0)
    refuse(entry, "expected {} bytes that unpack to {}, found a damaged stream", packed.size(), entry.size);
  content.pop_back();
  return content;
}

void ZipReader::read(const std::function<void(const std::string&, std::string_view)>& visit) {
  const std::size_t end = find_end(), count = number(end + 10, 2), directory_size = number(end + 12, 4);
  std::size_t at = number(end + 16, 4);
  if (count > most_entries || directory_size > longest_archive || at > longest_archive)
    refuse("expected an archive of less than 4 GiB, found ZIP64");
  if (number(end + 4, 4) != 0 || number(end + 8, 2) != count)
    refuse("expected an archive in one file, found one of several");
  if (at > end || directory_size != end - at)
    refuse("expected a directory of {} bytes at {}, found that the archive ends at {}", directory_size, at,
           end);

  const std::size_t directory = at;
  std::vector<Entry> entries;
  for (std::size_t i = 0; i < count; ++i) entries.push_back(read_directory(at, end));
  if (at != end) refuse("expected {} entries in the directory, found more bytes than theirs", count);

  // Many entries that share a few bytes would unpack to far more than the archive could hold.
  std::vector<const Entry*> sorted;
  for (const Entry& entry : entries) sorted.push_back(&entry);
  std::sort(sorted.begin(), sorted.end(),
            [](const Entry* a, const Entry* b) { return a->offset < b->offset; });
  std::size_t free = 0;  // where the previous entry ends
  for (const Entry* entry : sorted) {
    const std::string_view content = packed_content(*entry, directory);
    if (entry->offset < free) refuse(*entry, "expected bytes of its own, found them shared");
    free = static_cast<std::size_t>(content.data() - bytes_.data()) + content.size();
  }

  for (const Entry& entry : entries) {
    std::string_view content = packed_content(entry, directory);
    std::string unpacked;
    if (entry.method == deflated) {
      unpacked = unpack(entry, content);
      content = unpacked;
    } else if (entry.size != entry.packed) {
      refuse(entry, "expected {} bytes, found {}", entry.size, entry.packed);
    }
    if (const std::uint32_t crc = checksum(content); crc != entry.crc)
      refuse(entry, "expected checksum {:08x}, found {:08x}", entry.crc, crc);
    visit(entry.name, content);
  }
}

}  // namespace

void ZipWriter::add(std::string_view name, std::string_view content) {
  constexpr std::size_t longest_name = 0xffff;
  if (count_ == most_entries) fail<ValueError>("[npz] expected at most {} tensors, got more", most_entries);
  if (name.size() > longest_name)
    fail<ValueError>("[npz] expected a name of at most {} bytes, got {}", longest_name, name.size());
  const std::size_t offset = bytes_.size(), total = offset + local_size + content.size() + directory_.size() +
                                                    central_size + 2 * name.size() + end_size;
  if (total > longest_archive)
    fail<ValueError>("[npz] expected less than 4 GiB in all, got more: safetensors has no such limit");

  std::string common;  // what both headers say: versions, flags, method, date, checksum, sizes
  put(common, 20, 2);
  put(common, is_ascii(name) ? 0 : utf8, 2);
  put(common, stored, 2);
  put(common, 0x0021'0000, 4);  // 1980-01-01 0:00
  put(common, checksum(content), 4);
  put(common, content.size(), 4);
  put(common, content.size(), 4);
  put(common, name.size(), 2);
  put(common, 0, 2);  // nothing extra

  bytes_.append("PK\3\4"sv).append(common).append(name).append(content);
  directory_ += "PK\1\2"sv;
  put(directory_, 3 << 8 | 20, 2);  // made on a Unix
  directory_ += common;
  put(directory_, 0, 2 + 2 + 2);                     // no comment, first disk, binary
  put(directory_, std::uint64_t{0100600} << 16, 4);  // a file that its owner reads and writes
  put(directory_, offset, 4);
  directory_ += name;
  ++count_;
}

std::string ZipWriter::finish() {
  const std::size_t directory = bytes_.size();
  bytes_.append(directory_).append("PK\5\6\0\0\0\0"sv);
  put(bytes_, count_, 2);
  put(bytes_, count_, 2);
  put(bytes_, directory_.size(), 4);
  put(bytes_, directory, 4);
  put(bytes_, 0, 2);  // no comment
  directory_.clear();
  count_ = 0;
  return std::exchange(bytes_, {});
}

void read_zip(std::string_view bytes, const std::string& file,
              const std::function<void(const std::string& name, std::string_view content)>& visit) {
  ZipReader(bytes, file).read(visit);
}

}  // namespace elk::detail
