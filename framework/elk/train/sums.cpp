#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <utility>

#include <elk/tensor/storage.hpp>
#include <elk/train/sums.hpp>
#include <elk/train/tree.hpp>

namespace elk::train {

namespace {

using detail::readable;
using detail::writable;
using tree::add_rest;
using tree::push;
using tree::Run;

// What is sent at once. Small enough that sending begins early, large enough that a message's own time is
// little.
constexpr std::size_t bucket_bytes = std::size_t{4} << 20;

// What every x is left alone by, -0 too.
template <class T>
constexpr T nothing = T(-0.0);

// The nearest bfloat16, ties to even.
std::uint16_t to_bf16(float x) {
  const auto bits = std::bit_cast<std::uint32_t>(x);
  if (x != x) return static_cast<std::uint16_t>(bits >> 16 | 0x40);
  return static_cast<std::uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}
float from_bf16(std::uint16_t x) { return std::bit_cast<float>(static_cast<std::uint32_t>(x) << 16); }

struct Place {
  Run run;
};

// What ranks have added up when they have done their parts.
struct Layout {
  explicit Layout(const Cut& cut) : team(cut.team), wire(cut.wire) {
    if (team == nullptr || team->size() == 1) {
      team = nullptr;
      return;
    }
    const int ranks = team->size();
    for (int r = 0; r < ranks; ++r) {
      std::vector<Place> stack;
      for (Index part = first_part(cut.count, r, ranks); part < first_part(cut.count, r + 1, ranks); ++part)
        push(stack, Place{{part, 0}}, [](Place&, Place&&) {});
      rounds = std::max(rounds, stack.size());
      blocks.push_back(std::move(stack));
    }
  }
  Team* team;  // null: this process has all parts
  Precision wire;
  std::vector<std::vector<Place>> blocks;  // of each rank
  std::size_t rounds = 0;
};

// Numbers of a tensor that are in a bucket.
struct Piece {
  std::size_t tensor, from, count, at;  // numbers from `from` on are those from `at` on in the bucket
};

// Numbers that are added up, and sent, together.
class Bucket {
 public:
  explicit Bucket(const Layout& layout) : layout_(layout) {}
  virtual ~Bucket() = default;
  Bucket(const Bucket&) = delete;
  Bucket& operator=(const Bucket&) = delete;

  void make_room(std::size_t tensor, std::size_t from, std::size_t count) {
    pieces_.push_back({tensor, from, count, size_});
    size_ += count;
  }
  const std::vector<Piece>& pieces() const { return pieces_; }
  std::size_t size() const { return size_; }

  virtual void take(const Piece& piece, const Tensor& x, double factor) = 0;
  virtual void end_part(Index part) = 0;
  virtual void begin_exchange() = 0;
  virtual void begin_share() = 0;  // when what was exchanged is there
  virtual void end() = 0;          // when what was shared is there
  virtual void give(const Piece& piece, Tensor& sum) const = 0;

  // Whether what was begun last has come to its end.
  bool done() {
    while (!under_way_.empty() && (under_way_.back() == nullptr || under_way_.back()->done()))
      under_way_.pop_back();
    return under_way_.empty();
  }
  // Gives up what is under way; false when nothing is.
  bool leave() {
    const bool left = !done();
    under_way_.clear();
    return left;
  }
  void wait() {
    for (const auto& transfer : under_way_)
      if (transfer != nullptr) transfer->wait();
    under_way_.clear();
  }

 protected:
  const Layout& layout_;
  std::vector<Piece> pieces_;
  std::size_t size_ = 0;
  std::vector<std::unique_ptr<Transfer>> under_way_;
};

template <class T>
class Row final : public Bucket {
 public:
  Row(const Layout& layout, bool exact)
      : Bucket(layout), rounded_(!exact && layout.wire == Precision::bf16) {}

  void take(const Piece& piece, const Tensor& x, double factor) override {
    if (part_.empty()) part_.assign(size_, nothing<T>);
    const T* const from = readable<T>(x) + piece.from;
    T* const to = part_.data() + piece.at;
    if (factor == 1)
      std::copy_n(from, piece.count, to);
    else
      for (std::size_t i = 0; i < piece.count; ++i) to[i] = from[i] * static_cast<T>(factor);
  }

  void end_part(Index part) override {
    Block block{{part, 0}, std::exchange(part_, {})};
    round(block.numbers);
    push(stack_, std::move(block), [this](Block& sum, Block&& x) { add(sum, std::move(x)); });
  }

  // Every rank gets its share of all numbers from those that have some.
  void begin_exchange() override {
    if (layout_.team == nullptr) return;
    Team& team = *layout_.team;
    const auto ranks = static_cast<std::size_t>(team.size());
    for (std::size_t r = 0; r <= ranks; ++r) cuts_.push_back(size_ * r / ranks * width());
    received_.resize(layout_.rounds);
    packed_.resize(layout_.rounds);
    // A round for the first block of every rank, one for the second, and so on; mostly there is but one.
    for (std::size_t round = 0; round < layout_.rounds; ++round) {
      std::vector<int> senders;
      for (std::size_t r = 0; r < ranks; ++r)
        if (layout_.blocks[r].size() > round) senders.push_back(static_cast<int>(r));
      received_[round].resize(senders.size() * own() * width());
      std::span<const std::byte> mine;
      if (round < stack_.size()) {
        std::vector<T>& numbers = stack_[round].numbers;
        if (numbers.empty()) numbers.assign(size_, nothing<T>);
        mine = rounded_ ? pack(numbers.data(), size_, packed_[round]) : std::as_bytes(std::span<T>(numbers));
      }
      under_way_.push_back(team.begin_exchange(mine, cuts_, senders, received_[round]));
    }
  }

  // Adds up its share, and gives it to all.
  void begin_share() override {
    if (layout_.team == nullptr) return;
    struct Share {
      Run run;
      std::vector<T> numbers;
    };
    std::vector<Share> stack;
    const auto add_shares = [this](Share& sum, Share&& x) { add(sum, std::move(x)); };
    std::vector<std::size_t> at(layout_.rounds);  // in what was received
    for (const std::vector<Place>& blocks : layout_.blocks)
      for (std::size_t round = 0; round < blocks.size(); ++round) {
        push(stack, Share{blocks[round].run, unpack(received_[round].data() + at[round], own())}, add_shares);
        at[round] += own() * width();
      }
    add_rest(stack, add_shares);
    stack_.clear();
    received_.clear();
    packed_.clear();
    all_.resize(size_ * width());
    std::vector<std::byte> share;
    const std::span<const std::byte> bytes = rounded_ ? pack(stack[0].numbers.data(), own(), share)
                                                      : std::as_bytes(std::span<T>(stack[0].numbers));
    std::copy(bytes.begin(), bytes.end(), all_.begin() + static_cast<std::ptrdiff_t>(cuts_[rank()]));
    under_way_.push_back(layout_.team->begin_share(all_, cuts_));
  }

  void end() override {
    if (layout_.team != nullptr)
      stack_.assign(1, Block{{0, 0}, unpack(all_.data(), size_)});
    else
      add_rest(stack_, [this](Block& sum, Block&& x) { add(sum, std::move(x)); });
    if (stack_[0].numbers.empty()) stack_[0].numbers.assign(size_, nothing<T>);
  }

  void give(const Piece& piece, Tensor& sum) const override {
    std::copy_n(stack_[0].numbers.data() + piece.at, piece.count, writable<T>(sum) + piece.from);
  }

 private:
  struct Block {
    Run run;
    std::vector<T> numbers;  // none: nothing
  };

  template <class B>
  void add(B& sum, B&& x) const {
    if (sum.numbers.empty()) {
      sum.numbers = std::move(x.numbers);
      return;
    }
    if (x.numbers.empty()) return;
    for (std::size_t i = 0; i < sum.numbers.size(); ++i) sum.numbers[i] += x.numbers[i];
    round(sum.numbers);
  }
  void round(std::vector<T>& numbers) const {
    if (!rounded_) return;
    for (T& x : numbers) x = static_cast<T>(from_bf16(to_bf16(static_cast<float>(x))));
  }

  std::size_t width() const { return rounded_ ? sizeof(std::uint16_t) : sizeof(T); }
  std::size_t rank() const { return static_cast<std::size_t>(layout_.team->rank()); }
  std::size_t own() const { return (cuts_[rank() + 1] - cuts_[rank()]) / width(); }

  static std::span<const std::byte> pack(const T* numbers, std::size_t count, std::vector<std::byte>& bytes) {
    bytes.resize(count * sizeof(std::uint16_t));
    for (std::size_t i = 0; i < count; ++i) {
      const std::uint16_t x = to_bf16(static_cast<float>(numbers[i]));
      std::memcpy(bytes.data() + i * sizeof x, &x, sizeof x);
    }
    return bytes;
  }
  std::vector<T> unpack(const std::byte* bytes, std::size_t count) const {
    std::vector<T> numbers(count);
    if (!rounded_) {
      if (count > 0) std::memcpy(numbers.data(), bytes, count * sizeof(T));
      return numbers;
    }
    for (std::size_t i = 0; i < count; ++i) {
      std::uint16_t x;
      std::memcpy(&x, bytes + i * sizeof x, sizeof x);
      numbers[i] = static_cast<T>(from_bf16(x));
    }
    return numbers;
  }

  bool rounded_;
  std::vector<T> part_;  // of the part at hand
  std::vector<Block> stack_;
  std::vector<std::size_t> cuts_;                          // in bytes
  std::vector<std::vector<std::byte>> received_, packed_;  // of each round
  std::vector<std::byte> all_;
};

}  // namespace

struct Sums::Inside {
  explicit Inside(const Cut& cut) : layout(cut), part(cut.first), last(cut.last) {}

  // Tensor i follows the others, in pieces where it is large.
  void make_room(std::size_t i, bool exact) {
    const Tensor& tensor = like[i];
    if (tensor.dtype() != f32 && tensor.dtype() != f64) return;
    const std::size_t most = bucket_bytes / (tensor.dtype() == f32 ? 4 : 8);
    const auto count = static_cast<std::size_t>(tensor.size());
    for (std::size_t from = 0; from < count;) {
      if (buckets.empty() || dtype != tensor.dtype() || are_exact != exact ||
          buckets.back()->size() == most) {
        dtype = tensor.dtype();
        are_exact = exact;
        if (dtype == f32)
          buckets.push_back(std::make_unique<Row<float>>(layout, exact));
        else
          buckets.push_back(std::make_unique<Row<double>>(layout, exact));
      }
      const std::size_t fits = std::min(count - from, most - buckets.back()->size());
      where[i].push_back({buckets.size() - 1, buckets.back()->pieces().size()});
      buckets.back()->make_room(i, from, fits);
      from += fits;
    }
  }

  // All ranks begin with the first bucket, and go on with the second, and so on.
  void exchange_what_is_there() {
    while (part + 1 == last && begun < buckets.size() && missing[begun] == 0) exchange_next();
  }
  void exchange_next() {
    buckets[begun]->end_part(part);
    buckets[begun]->begin_exchange();
    ++begun;
  }
  void share_next() {
    buckets[shared]->begin_share();
    ++shared;
  }

  struct At {
    std::size_t bucket, piece;
  };
  std::vector<Tensor> like;
  std::vector<std::vector<At>> where;  // the pieces of each tensor
  Layout layout;
  std::vector<std::unique_ptr<Bucket>> buckets;
  std::optional<DType> dtype;  // of the last bucket
  bool are_exact = false;
  Index part, last;
  std::vector<bool> taken;                       // tensors of the part at hand
  std::vector<std::size_t> missing;              // pieces of each bucket that are not there yet
  std::size_t begun = 0, shared = 0, ended = 0;  // how many buckets are that far

  void begin_part() {
    taken.assign(like.size(), false);
    missing.clear();
    for (const auto& bucket : buckets) missing.push_back(bucket->pieces().size());
  }
};

Index first_part(Index count, int rank, int ranks) { return count * rank / ranks; }

Sums::Sums(std::vector<Tensor> like, std::vector<Tensor> exact, const Cut& cut)
    : inside_(std::make_unique<Inside>(cut)) {
  Inside& in = *inside_;
  const std::size_t count = like.size();
  in.like = std::move(like);
  in.like.insert(in.like.end(), exact.begin(), exact.end());
  in.where.resize(in.like.size());
  for (std::size_t i = count; i-- > 0;) in.make_room(i, false);
  for (std::size_t i = count; i < in.like.size(); ++i) in.make_room(i, true);
  in.begin_part();
}

Sums::~Sums() {
  // An exception in the midst: what is sent and received there must stay.
  bool left = false;
  for (const auto& bucket : inside_->buckets) left |= bucket->leave();
  if (left) (void)inside_.release();
}

void Sums::add(std::size_t i, const Tensor& x, double factor) {
  Inside& in = *inside_;
  if (in.taken[i]) return;
  in.taken[i] = true;
  for (const auto& [bucket, piece] : in.where[i]) {
    in.buckets[bucket]->take(in.buckets[bucket]->pieces()[piece], x, factor);
    --in.missing[bucket];
  }
  in.exchange_what_is_there();
}

void Sums::end_part() {
  Inside& in = *inside_;
  if (in.part + 1 == in.last) {
    while (in.begun < in.buckets.size()) in.exchange_next();
  } else {
    for (const auto& bucket : in.buckets) bucket->end_part(in.part);
    ++in.part;
    in.begin_part();
  }
}

void Sums::help() {
  Inside& in = *inside_;
  while (in.shared < in.begun && in.buckets[in.shared]->done()) in.share_next();
  while (in.ended < in.shared && in.buckets[in.ended]->done()) ++in.ended;
}

std::vector<Tensor> Sums::finish() {
  Inside& in = *inside_;
  while (in.shared < in.begun) {
    in.buckets[in.shared]->wait();
    in.share_next();
  }
  std::vector<Tensor> sums(in.like.size());
  for (std::size_t i = 0; i < sums.size(); ++i)
    if (!in.where[i].empty()) sums[i] = empty(in.like[i].shape(), in.like[i].dtype());
  for (; in.ended < in.begun; ++in.ended) in.buckets[in.ended]->wait();
  for (const auto& bucket : in.buckets) {
    bucket->end();
    for (const Piece& piece : bucket->pieces()) bucket->give(piece, sums[piece.tensor]);
  }
  return sums;
}

}  // namespace elk::train
