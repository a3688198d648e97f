#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <cstring>
#include <mutex>
#include <new>
#include <utility>

#include <elk/base/format.hpp>
#include <elk/tensor/storage.hpp>

namespace elk {

namespace detail {

namespace {

// Arrays such as a whole data set lie on the processor's large pages where the system has them: shuffled rows
// of it are found several times as fast.
constexpr std::size_t large = std::size_t{16} << 20;
constexpr std::size_t large_page = std::size_t{2} << 20;

#ifdef ELK_SANITIZE
constexpr bool keeps_memory = false;  // or use after the end would not be found
constexpr std::size_t small = 0;      // or use beyond the end
#else
constexpr bool keeps_memory = true;
// malloc has a block of this size at hand for each thread, but not one that it must align: these are aligned
// here.
constexpr std::size_t small = 960;
#endif

std::align_val_t alignment(std::size_t bytes) { return std::align_val_t{bytes >= large ? large_page : 64}; }

// Memory of arrays that have ended, for the next one of their size: a training step makes the same ones each
// time. malloc would give such memory back to the system, from where it comes anew page by page, each cleared
// first: this took two thirds of a GRU's time. To what a program has in use at most, keeping adds at most
// `spare`.
class Kept {
 public:
  static constexpr std::size_t largest = std::size_t{64} << 20, spare = largest;

  /// The last block of this size that was kept: most likely it is still in the cache. Null if there is none;
  /// then there is room for a new one.
  std::byte* take(std::size_t bytes) noexcept {
    const std::lock_guard lock(mutex_);
    const auto size = find(bytes);
    if (size == last_ || size->block == nullptr) {
      for (auto oldest = last_; kept_ > 0 && used_ + bytes + kept_ > most_used_ + spare;) {
        while ((oldest - 1)->block == nullptr) --oldest;
        drop(*(oldest - 1));
      }
      return nullptr;
    }
    Block* const block = size->block;
    size->block = block->next;
    kept_ -= bytes;
    used_ += bytes;
    to_front(size);
    return reinterpret_cast<std::byte*>(block);
  }
  /// A new block has been made.
  void made(std::size_t bytes) noexcept {
    const std::lock_guard lock(mutex_);
    used_ += bytes;
    most_used_ = std::max(most_used_, used_);
  }
  void keep(std::byte* data, std::size_t bytes) noexcept {
    const std::lock_guard lock(mutex_);
    auto size = find(bytes);
    if (size == last_) {
      if (last_ == sizes_.end()) {  // the size that was not asked for the longest gives way
        --last_;
        while (last_->block) drop(*last_);
      }
      size = last_++;
      *size = {bytes, nullptr};
    }
    size->block = new (data) Block{size->block};
    used_ -= bytes;
    kept_ += bytes;
    to_front(size);
  }

 private:
  // The next one of its size, in the memory that is kept.
  struct Block {
    Block* next;
  };
  struct Size {
    std::size_t bytes;
    Block* block;
  };
  static constexpr std::size_t most_sizes = 64;
  using Sizes = std::array<Size, most_sizes>;

  Sizes::iterator find(std::size_t bytes) {
    return std::find_if(sizes_.begin(), last_, [&](const Size& size) { return size.bytes == bytes; });
  }
  void to_front(Sizes::iterator size) { std::rotate(sizes_.begin(), size, size + 1); }
  void drop(Size& size) {
    Block* const block = size.block;
    size.block = block->next;
    ::operator delete(block, alignment(size.bytes));
    kept_ -= size.bytes;
  }

  std::mutex mutex_;
  Sizes sizes_{};  // the last one asked for first
  Sizes::iterator last_ = sizes_.begin();
  std::size_t kept_ = 0, used_ = 0, most_used_ = 0;  // bytes
};

// Never ended: tensors of other static objects may end later.
Kept& kept() {
  static Kept& kept = *new Kept;
  return kept;
}

bool may_be_kept(std::size_t bytes) { return keeps_memory && bytes <= Kept::largest; }

}  // namespace

Storage::Storage(std::size_t bytes) : data_(nullptr), bytes_(bytes) {
  if (bytes <= small) {
    void* at = near_;
    std::size_t space = sizeof near_;
    if (bytes > line) at = block_ = static_cast<std::byte*>(::operator new(space = bytes + line));
    data_ = static_cast<std::byte*>(std::align(line, bytes, at, space));
    return;
  }
  if (may_be_kept(bytes)) data_ = block_ = kept().take(bytes);
  if (data_ != nullptr) return;
  data_ = block_ = static_cast<std::byte*>(::operator new(bytes, alignment(bytes)));
  if (may_be_kept(bytes)) kept().made(bytes);
  if (bytes >= large) ::madvise(data_, bytes, MADV_HUGEPAGE);  // a wish; without it all works as well
}

Storage::~Storage() {
  if (bytes_ <= small)
    ::operator delete(block_);
  else if (may_be_kept(bytes_))
    kept().keep(block_, bytes_);
  else
    ::operator delete(block_, alignment(bytes_));
}

std::uint64_t new_id() {
  static std::atomic<std::uint64_t> next{1};
  return next.fetch_add(1, std::memory_order_relaxed);
}

Tensor TensorAccess::make(std::shared_ptr<Storage> storage, const Shape& shape, DType dtype, bool watched,
                          std::uint64_t id) {
  Tensor x;
  x.impl_ = std::make_shared<TensorImpl>(TensorImpl{std::move(storage), shape, dtype, watched, id});
  return x;
}

Tensor with_shape(const Tensor& x, const Shape& shape) {
  const TensorImpl& impl = TensorAccess::impl(x);
  return TensorAccess::make(impl.storage, shape, impl.dtype, false, new_id());
}

Tensor with_id(const Tensor& x, std::uint64_t id, bool watched) {
  const TensorImpl& impl = TensorAccess::impl(x);
  return TensorAccess::make(impl.storage, impl.shape, impl.dtype, watched, id);
}

void make_sole_owner(Tensor& x) {
  if (TensorAccess::sole_owner(x)) return;
  const TensorImpl& old = TensorAccess::impl(x);
  auto storage = std::make_shared<Storage>(old.storage->bytes());
  std::memcpy(storage->data(), old.storage->data(), storage->bytes());
  x = TensorAccess::make(std::move(storage), old.shape, old.dtype, old.watched, old.id);
}

}  // namespace detail

namespace {

// The bytes of a tensor, or an error for a negative size or one that no memory could hold.
std::size_t checked_bytes(const Shape& shape, DType dtype) {
  constexpr std::uint64_t limit = std::uint64_t{1} << 46;  // more than 32-bit machines can count
  std::size_t bytes = byte_size(dtype);
  for (const Index size : shape)
    if (size < 0) fail<ShapeError>("[tensor] shape {} has a negative size", shape);
  // A size of 0 counts as 1, so that strides and products of some of the sizes never overflow either.
  for (const Index size : shape)
    if (__builtin_mul_overflow(bytes, std::max(static_cast<std::size_t>(size), std::size_t{1}), &bytes) ||
        bytes > limit)
      fail<ShapeError>("[tensor] shape {} of {} is larger than 64 TiB", shape, dtype);
  return shape.size() == 0 ? 0 : bytes;
}

// Before anything is allocated for a shape that was given by mistake.
void check_count(const Shape& shape, DType dtype, std::size_t count) {
  checked_bytes(shape, dtype);
  if (shape.size() != static_cast<Index>(count))
    fail<ShapeError>("[from] shape {} needs {} values, got {}", shape, shape.size(), count);
}

// Calls `f` with a pointer to the elements of `x` as its dtype's C++ type.
template <class F>
void visit(Tensor& x, F f) {
  switch (x.dtype()) {
    case DType::f32: return f(detail::writable<float>(x));
    case DType::f64: return f(detail::writable<double>(x));
    case DType::i64: return f(detail::writable<std::int64_t>(x));
    case DType::u8: return f(detail::writable<std::uint8_t>(x));
  }
}

// Converts a number to an element. One that an integer dtype cannot hold exactly is an error: nothing is cut
// off in silence.
template <class T>
T element(double value, DType dtype) {
  if constexpr (std::is_integral_v<T>) {
    // 2^63 is the first double beyond i64, and u8's maximum is exact.
    const double limit = sizeof(T) == 8 ? 9223372036854775808.0 : 256.0;
    const double low = sizeof(T) == 8 ? -9223372036854775808.0 : 0.0;
    if (!(value >= low && value < limit)) fail<ValueError>("[tensor] {} does not fit {}", value, dtype);
    if (value != std::trunc(value))
      fail<ValueError>("[tensor] {} is not exact in {}: take f32 or f64, or convert with cast", value, dtype);
  }
  return static_cast<T>(value);
}

}  // namespace

const detail::TensorImpl& Tensor::impl() const {
  if (!impl_)
    fail<ValueError>(
        "[tensor] this tensor is undefined: it was default-made and never assigned, or moved from");
  return *impl_;
}

const Shape& Tensor::shape() const { return impl().shape; }
DType Tensor::dtype() const { return impl().dtype; }
Index Tensor::size() const { return impl().shape.size(); }
std::uint64_t Tensor::id() const { return impl().id; }

template <class T>
std::span<const T> Tensor::data() const {
  if (dtype() != dtype_of<T>)
    fail<DTypeError>("[data] the tensor holds {}, asked for {}", dtype(), dtype_of<T>);
  return {detail::readable<T>(*this), static_cast<std::size_t>(size())};
}
template std::span<const float> Tensor::data() const;
template std::span<const double> Tensor::data() const;
template std::span<const std::int64_t> Tensor::data() const;
template std::span<const std::uint8_t> Tensor::data() const;

double Tensor::at(Index i) const {
  if (i < 0 || i >= size()) fail<IndexError>("[at] element {} is outside a tensor of {}", i, size());
  switch (dtype()) {
    case DType::f32: return detail::readable<float>(*this)[i];
    case DType::f64: return detail::readable<double>(*this)[i];
    case DType::i64: return static_cast<double>(detail::readable<std::int64_t>(*this)[i]);
    case DType::u8: return detail::readable<std::uint8_t>(*this)[i];
  }
  return 0;
}

double Tensor::item() const {
  if (size() != 1) fail<ShapeError>("[item] expected a tensor of one element, got shape {}", shape());
  return at(0);
}

Tensor empty(const Shape& shape, DType dtype) {
  const std::size_t bytes = checked_bytes(shape, dtype);
  try {
    auto storage = std::make_shared<detail::Storage>(bytes);
    return detail::TensorAccess::make(std::move(storage), shape, dtype, false, detail::new_id());
  } catch (const std::bad_alloc&) {
    fail<Error>("[tensor] no memory for shape {} of {}: {} MiB", shape, dtype, bytes >> 20);
  }
}

Tensor zeros(const Shape& shape, DType dtype) {
  Tensor x = empty(shape, dtype);
  std::memset(detail::writable<std::byte>(x), 0, static_cast<std::size_t>(x.size()) * byte_size(dtype));
  return x;
}

Tensor ones(const Shape& shape, DType dtype) { return full(shape, 1, dtype); }

Tensor full(const Shape& shape, double value, DType dtype) {
  Tensor x = empty(shape, dtype);
  visit(x, [&]<class T>(T* data) { std::fill_n(data, x.size(), element<T>(value, dtype)); });
  return x;
}

Tensor scalar(double value, DType dtype) { return full({}, value, dtype); }

Tensor from(std::initializer_list<double> values, DType dtype) {
  return from(values, {static_cast<Index>(values.size())}, dtype);
}

Tensor from(std::initializer_list<double> values, const Shape& shape, DType dtype) {
  check_count(shape, dtype, values.size());
  Tensor x = empty(shape, dtype);
  visit(x, [&]<class T>(T* data) {
    for (const double value : values) *data++ = element<T>(value, dtype);
  });
  return x;
}

template <class T>
Tensor detail::from(const T* values, std::size_t count, const Shape& shape) {
  check_count(shape, dtype_of<T>, count);
  Tensor x = empty(shape, dtype_of<T>);
  std::copy_n(values, count, detail::writable<T>(x));
  return x;
}
template Tensor detail::from(const float*, std::size_t, const Shape&);
template Tensor detail::from(const double*, std::size_t, const Shape&);
template Tensor detail::from(const std::int64_t*, std::size_t, const Shape&);
template Tensor detail::from(const std::uint8_t*, std::size_t, const Shape&);

void detail::beyond_i64(std::uint64_t value) { fail<ValueError>("[from] {} does not fit i64", value); }

namespace {

// How many of begin, begin + step, ... come before `end`.
Index steps(double begin, double end, double step) {
  if (!(std::isfinite(begin) && std::isfinite(end) && std::isfinite(step)) || step == 0)
    fail<ValueError>("[arange] expected finite numbers and a step other than 0, got {}, {} and {}", begin,
                     end, step);
  const double count = std::ceil((end - begin) / step);
  if (!(count < 0x1p62)) fail<ValueError>("[arange] {} to {} by {} are too many", begin, end, step);
  return count > 0 ? static_cast<Index>(count) : 0;
}

}  // namespace

Tensor detail::arange(Index begin, Index end, Index step) {
  if (step == 0) fail<ValueError>("[arange] the step must not be 0");
  // Unsigned, in which no difference overflows.
  const auto from = static_cast<std::uint64_t>(begin), by = static_cast<std::uint64_t>(step),
             distance =
                 step > 0 ? static_cast<std::uint64_t>(end) - from : from - static_cast<std::uint64_t>(end),
             stride = step > 0 ? by : -by;
  const bool some = step > 0 ? begin < end : begin > end;
  Tensor x = empty({some ? (distance - 1) / stride + 1 : 0}, i64);
  auto* data = detail::writable<std::int64_t>(x);
  for (Index i = 0; i < x.size(); ++i)
    data[i] = static_cast<Index>(from + static_cast<std::uint64_t>(i) * by);
  return x;
}

Tensor arange(Index n, DType dtype) {
  if (n < 0) fail<ShapeError>("[arange] expected 0 or more, got {}", n);
  return arange(0, static_cast<double>(n), 1, dtype);
}

Tensor arange(double begin, double end, double step, DType dtype) {
  Tensor x = empty({steps(begin, end, step)}, dtype);
  visit(x, [&]<class T>(T* data) {
    for (Index i = 0; i < x.size(); ++i) data[i] = element<T>(begin + static_cast<double>(i) * step, dtype);
  });
  return x;
}

Tensor linspace(double begin, double end, Index count, DType dtype) {
  if (!is_float(dtype)) fail<DTypeError>("[linspace] expected f32 or f64, got {}", dtype);
  Tensor x = empty({count}, dtype);
  const auto last = static_cast<double>(count - 1);
  visit(x, [&]<class T>(T* data) {
    for (Index i = 0; i < count; ++i) {  // weighted so, whole numbers stay whole, and nothing overflows
      const double t = static_cast<double>(i);
      data[i] = static_cast<T>(i == 0 ? begin : i == count - 1 ? end : (begin * (last - t) + end * t) / last);
    }
  });
  return x;
}

}  // namespace elk
