// From a data set to the input of a network: batches of floats in [0, 1].
//
//   for (const auto& [x, labels] : Batches(train, 50, rng)) ...     // of images
//   for (const auto& [x, y] : Batches({x_all, y_all}, 50, rng)) ...  // of anything: see examples.hpp
#pragma once

#include <iterator>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include <elk/base/moved.hpp>
#include <elk/data/examples.hpp>

namespace elk {

class Augment;

/// The images `rows` as a batch, in that order. A pixel becomes pixel / 255, divided in the dtype (in f64
/// with exactly the bits of NumPy's `images / 255.0`). IndexError for a row outside the data set; DTypeError
/// unless f32 or f64.
Batch gather(const Dataset& dataset, std::span<const Index> rows, DType dtype = f32);

/// A data set cut into batches, made one by one as a range-for asks for them. The last one is short when the
/// batch size does not divide the number of examples.
class Batches {
 public:
  /// In the data set's own order.
  Batches(const Examples& examples, Index batch_size, DType dtype = f32);
  /// Shuffled: each pass (each call of begin) first draws its order as `rng.permutation(N)`. `rng` must
  /// outlive this.
  Batches(const Examples& examples, Index batch_size, Rng& rng, DType dtype = f32);
  /// In a given order of rows, from batch number `first_batch` on: so an interrupted pass continues where it
  /// stopped. IndexError unless first_batch is from 0 to the number of batches.
  Batches(const Examples& examples, Index batch_size, std::vector<Index> order, DType dtype = f32,
          Index first_batch = 0);

  /// The same batches, with images that `augment` changes for `epoch`, in every pass: call it again for each
  /// epoch. ValueError for data that are not images.
  Batches augmented(const Augment& augment, Index epoch) const;

  /// The number of batches in a whole pass, including those before first_batch.
  Index count() const;

  /// For range-for: a position in one pass.
  class Iterator {
   public:
    using value_type = Batch;
    using difference_type = std::ptrdiff_t;

    /// Gathers the batch again on each call.
    Batch operator*() const;
    /// The examples in the current batch.
    Index size() const;
    /// Part `number` of the current batch, cut into `parts`; only this part is gathered. For ranks or threads
    /// that share a batch. The first size() % parts have one example more than the others, which may have
    /// none. IndexError unless number is from 0 to parts - 1.
    Batch part(Index number, Index parts) const;
    /// Its first row and its number of rows.
    std::pair<Index, Index> part_rows(Index number, Index parts) const;
    /// The next batch.
    Iterator& operator++() {
      ++number_;
      return *this;
    }
    /// The next batch.
    void operator++(int) { ++number_; }
    /// The number of the current batch in its pass, from 0.
    Index number() const { return number_; }
    friend bool operator==(const Iterator& i, std::default_sentinel_t) {
      return i.number_ >= i.owner_->count();
    }

   private:
    friend class Batches;
    Batch rows(Index first, Index count) const;
    Iterator(const Batches& owner, std::shared_ptr<const std::vector<Index>> order)
        : owner_(&owner), order_(std::move(order)), number_(owner.first_batch_) {}

    const Batches* owner_;
    std::shared_ptr<const std::vector<Index>> order_;
    Index number_;
  };

  Iterator begin() const;
  std::default_sentinel_t end() const { return {}; }

 private:
  detail::Moved moved_;
  Examples examples_;
  Index batch_size_;
  Index rows_;  // in a pass
  DType dtype_;
  std::shared_ptr<const std::vector<Index>> order_;  // null when each pass draws its own
  Rng* rng_ = nullptr;
  Index first_batch_ = 0;
  std::shared_ptr<const Augment> augment_;  // null: images as they are
  Index epoch_ = 0;
};

}  // namespace elk
