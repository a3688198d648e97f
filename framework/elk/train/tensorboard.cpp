#include <unistd.h>

#include <array>
#include <bit>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <system_error>

#include <elk/base/format.hpp>
#include <elk/train/fit.hpp>
#include <elk/train/tensorboard.hpp>

namespace elk::train {

namespace {

// An event file is a TFRecord file of protocol buffers:
// https://www.tensorflow.org/tutorials/load_data/tfrecord and tensorflow/core/util/event.proto.

// CRC-32C (Castagnoli), reflected; by a table for each byte.
std::uint32_t crc32c(std::string_view bytes) {
  static const std::array<std::uint32_t, 256> table = [] {
    std::array<std::uint32_t, 256> t{};
    for (std::uint32_t i = 0; i < 256; ++i) {
      std::uint32_t c = i;
      for (int bit = 0; bit < 8; ++bit) c = (c & 1) != 0 ? c >> 1 ^ 0x82F63B78u : c >> 1;
      t[i] = c;
    }
    return t;
  }();
  std::uint32_t c = ~0u;
  for (const char byte : bytes) c = table[(c ^ static_cast<unsigned char>(byte)) & 0xFF] ^ c >> 8;
  return ~c;
}

// As the format stores it, so that the checksum of a checksum is no constant.
std::uint32_t masked(std::uint32_t c) { return std::rotr(c, 15) + 0xA282EAD8u; }

// Little-endian.
template <class T>
std::string bytes_of(T value) {
  std::string bytes;
  for (std::size_t i = 0; i < sizeof(T); ++i) bytes += static_cast<char>(value >> 8 * i & 0xFF);
  return bytes;
}

std::string varint(std::uint64_t value) {
  std::string bytes;
  for (; value > 0x7F; value >>= 7) bytes += static_cast<char>((value & 0x7F) | 0x80);
  return bytes + static_cast<char>(value);
}

// Fields of a message: number << 3 | kind, value.
enum Kind : std::uint64_t { number = 0, fixed64 = 1, text = 2, fixed32 = 5 };
std::string field(std::uint64_t id, Kind kind, const std::string& value) {
  return varint(id << 3 | kind) + (kind == text ? varint(value.size()) : "") + value;
}

std::string event(const std::string& content) {
  const std::chrono::duration<double> now = std::chrono::system_clock::now().time_since_epoch();
  return field(1, fixed64, bytes_of(std::bit_cast<std::uint64_t>(now.count()))) + content;
}

}  // namespace

TensorBoard::TensorBoard(std::string folder, std::int64_t every) : every_(every) {
  if (every < 0) fail<ValueError>("[tensorboard] expected a number of steps, got {}", every);
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) fail<FileError>("[tensorboard] {} cannot be made: {}", folder, error.message());
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(now).count();
  for (int n = 0; file_ == nullptr; ++n) {  // several in a second
    path_ = fmt::format("{}/events.out.tfevents.{:010}.elkgrad.{}.{}", folder, seconds, getpid(), n);
    if (std::FILE* const file = std::fopen(path_.c_str(), "wbx"))
      file_.reset(file, std::fclose);
    else if (errno != EEXIST)
      fail<FileError>("[tensorboard] {} cannot be written: {}", path_, std::strerror(errno));
  }
  write(event(field(3, text, "brain.Event:2")));
}

// length, its checksum, the event, its checksum.
void TensorBoard::write(const std::string& event) {
  const std::string length = bytes_of(std::uint64_t{event.size()});
  const std::string record =
      length + bytes_of(masked(crc32c(length))) + event + bytes_of(masked(crc32c(event)));
  if (std::fwrite(record.data(), 1, record.size(), file_.get()) != record.size() ||
      std::fflush(file_.get()) != 0)
    fail<FileError>("[tensorboard] {} cannot be written: {}", path_, std::strerror(errno));
}

void TensorBoard::scalar(const std::string& name, double value, std::int64_t step) {
  const auto bits = std::bit_cast<std::uint32_t>(static_cast<float>(value));
  const std::string summary = field(1, text, field(1, text, name) + field(2, fixed32, bytes_of(bits)));
  write(event(field(2, number, varint(static_cast<std::uint64_t>(step))) + field(5, text, summary)));
}

void TensorBoard::begun(Fit& fit) { rows_ = fit.result().history.size(); }

void TensorBoard::step_done(Fit& fit) {
  if (every_ > 0 && fit.step() % every_ == 0) scalar("loss/step", fit.loss(), fit.step());
}

void TensorBoard::epoch_done(Fit& fit) {
  const std::vector<HistoryRow>& history = fit.result().history;
  for (; rows_ < history.size(); ++rows_) {
    const HistoryRow& row = history[rows_];
    const auto add = [&](const char* name, const std::optional<double>& value) {
      if (value) scalar(name, *value, row.step);
    };
    add("loss/train", row.train_loss);
    add("loss/validation", row.val_loss);
    add("loss/test", row.test_loss);
    add("accuracy/validation", row.val_accuracy);
    add("accuracy/test", row.test_accuracy);
    add("lr", row.lr);
  }
}

}  // namespace elk::train
