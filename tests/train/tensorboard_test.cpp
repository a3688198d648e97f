// Event files, read by a reader of its own: records, both checksums of each bit by bit, messages.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <tuple>
#include <vector>

#include <elk/elk.hpp>
#include <elk/io/atomic_file.hpp>

#include "io/temporary_folder.hpp"
#include "support.hpp"

namespace elk::train {
namespace {

using test::error_of;
using testing::ElementsAre;
using testing::HasSubstr;

// The polynomial 0x1EDC6F41, from the highest bit down, as its definition has it.
std::uint32_t reflected(std::uint32_t x, int bits) {
  std::uint32_t y = 0;
  for (int i = 0; i < bits; ++i) y |= (x >> i & 1) << (bits - 1 - i);
  return y;
}
std::uint32_t slow_crc32c(const std::string& bytes) {
  std::uint32_t c = 0xFFFFFFFF;
  for (const char byte : bytes) {
    c ^= reflected(static_cast<unsigned char>(byte), 8) << 24;
    for (int i = 0; i < 8; ++i) c = (c & 0x80000000) != 0 ? c << 1 ^ 0x1EDC6F41 : c << 1;
  }
  return ~reflected(c, 32);
}
std::uint32_t slow_masked(const std::string& bytes) {
  const std::uint32_t c = slow_crc32c(bytes);
  return ((c >> 15) | (c << 17)) + 0xA282EAD8;
}

struct Bytes {
  std::string text;
  std::size_t at = 0;
  bool done() const { return at == text.size(); }
  std::string take(std::size_t n) {
    if (n > text.size() - at) throw std::runtime_error("cut off");
    at += n;
    return text.substr(at - n, n);
  }
  template <class T>
  T number() {
    T value;
    std::memcpy(&value, take(sizeof(T)).data(), sizeof(T));
    return value;
  }
  std::uint64_t varint() {
    std::uint64_t value = 0;
    for (int shift = 0;; shift += 7) {
      const auto byte = static_cast<unsigned char>(take(1)[0]);
      value |= std::uint64_t{byte & 0x7Fu} << shift;
      if (byte < 0x80) return value;
    }
  }
};

struct Event {
  double time = 0;
  std::int64_t step = 0;
  std::string version, name;
  float value = 0;
};

Event parse(Bytes message) {
  Event event;
  while (!message.done()) {
    const std::uint64_t key = message.varint();
    if (key == (1 << 3 | 1))
      event.time = message.number<double>();
    else if (key == (2 << 3 | 0))
      event.step = static_cast<std::int64_t>(message.varint());
    else if (key == (3 << 3 | 2))
      event.version = message.take(message.varint());
    else if (key == (5 << 3 | 2)) {
      Bytes summary{message.take(message.varint())};
      EXPECT_EQ(summary.varint(), 1u << 3 | 2);
      Bytes value{summary.take(summary.varint())};
      EXPECT_TRUE(summary.done());
      EXPECT_EQ(value.varint(), 1u << 3 | 2);
      event.name = value.take(value.varint());
      EXPECT_EQ(value.varint(), 2u << 3 | 5);
      event.value = value.number<float>();
      EXPECT_TRUE(value.done());
    } else {
      throw std::runtime_error("an unknown field");
    }
  }
  return event;
}

std::vector<Event> read(const std::string& path) {
  std::vector<Event> events;
  for (Bytes file{read_file(path)}; !file.done();) {
    const std::string length = file.take(8);
    EXPECT_EQ(file.number<std::uint32_t>(), slow_masked(length));
    const std::string content = file.take(Bytes{length}.number<std::uint64_t>());
    EXPECT_EQ(file.number<std::uint32_t>(), slow_masked(content));
    events.push_back(parse({content}));
  }
  return events;
}

TEST(TensorBoard, TheReadersChecksumIsRight) { EXPECT_EQ(slow_crc32c("123456789"), 0xE3069283u); }

TEST(TensorBoard, WritesNumbers) {
  const TemporaryFolder folder;
  TensorBoard board(folder / "runs/a");
  board.scalar("mine", -1.5, 300);
  board.scalar(std::string(200, 'x'), 1e30, std::int64_t{1} << 40);
  EXPECT_THAT(board.path(), HasSubstr("/runs/a/events.out.tfevents."));
  const std::vector<Event> events = read(board.path());
  ASSERT_EQ(events.size(), 3u);
  EXPECT_EQ(events[0].version, "brain.Event:2");
  EXPECT_GT(events[0].time, 1.7e9);
  EXPECT_EQ(std::tie(events[1].name, events[1].step), std::make_tuple(std::string("mine"), 300));
  EXPECT_EQ(events[1].value, -1.5f);
  EXPECT_EQ(events[2].name, std::string(200, 'x'));
  EXPECT_EQ(events[2].step, std::int64_t{1} << 40);
  EXPECT_EQ(events[2].value, 1e30f);
  EXPECT_NE(TensorBoard(folder / "runs/a").path(), board.path());  // not into the same file
}

TEST(TensorBoard, FollowsAFit) {
  const TemporaryFolder folder;
  Rng rng(1);
  const Tensor x = randn({8, 2}, rng), y = sum(x, 1, true);
  nn::Linear net(2, 1, rng);
  optim::SGD sgd(net, {.lr = 0.25});
  TensorBoard board(folder / "run", 2);
  const Result result =
      fit(net, sgd, {x, y}, rng,
          {.loss = mse, .epochs = 2, .batch_size = 2, .validation = {x, y}, .callbacks = {&board}});
  std::vector<std::string> seen;
  for (const Event& e : read(board.path()))
    if (!e.name.empty()) seen.push_back(e.name + " " + std::to_string(e.step));
  EXPECT_THAT(seen, ElementsAre("loss/step 2", "loss/step 4", "loss/train 4", "loss/validation 4", "lr 4",
                                "loss/step 6", "loss/step 8", "loss/train 8", "loss/validation 8", "lr 8"));
  EXPECT_EQ(read(board.path()).back().value, 0.25f);
  EXPECT_EQ(read(board.path())[9].value, static_cast<float>(*result.history[1].val_loss));
}

TEST(TensorBoard, RefusesWhatCannotBe) {
  const TemporaryFolder folder;
  write_file_atomically(folder / "file", "x");
  EXPECT_THAT(error_of<FileError>([&] { TensorBoard(folder / "file/run"); }),
              HasSubstr("[tensorboard] " + (folder / "file/run") + " cannot be made: "));
  EXPECT_EQ(error_of<ValueError>([&] { TensorBoard(folder / "run", -1); }),
            "[tensorboard] expected a number of steps, got -1");
}

}  // namespace
}  // namespace elk::train
