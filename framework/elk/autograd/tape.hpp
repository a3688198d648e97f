// The engine: a Tape records operations while it exists, and walks them backwards to compute Gradients.
//
//   elk::Tape tape;                       // recording starts
//   auto loss = elk::mean(elk::square(x * w - y));
//   auto grads = tape.backward(loss);     // d loss / d w is grads[w]
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <unordered_map>
#include <utility>
#include <vector>

#include <elk/base/moved.hpp>
#include <elk/kernels/product.hpp>
#include <elk/tensor/tensor.hpp>

namespace elk {

/// How a gradient flows back through an operation to one of its inputs: from dy, the gradient of the output,
/// to dx, of the input's shape and dtype. If it is written with the library's operations, it can itself be
/// differentiated.
using Rule = std::function<Tensor(const Tensor& dy)>;

namespace detail {

struct Input;  // see record.hpp
void record(const char* operation, const Tensor& y, Input* inputs, std::size_t count);

}  // namespace detail

/// What backward returns: the gradients of parameters and watched tensors, as a value to query, add, scale or
/// drop. An object that was moved from throws ValueError. A call that throws has changed nothing.
class Gradients {
 public:
  /// d loss / d x. Throws TapeError when the loss does not depend on x.
  const Tensor& operator[](const Tensor& x) const;
  /// Whether there is a gradient of x.
  bool has(const Tensor& x) const;
  std::size_t size() const { return items().size(); }

  /// All gradients, in the order in which their tensors were made.
  std::vector<Tensor> values() const;

  /// Replaces each gradient by `f` of it, which must keep shape and dtype (ShapeError, DTypeError).
  Gradients& apply(const std::function<Tensor(const Tensor& gradient)>& f);
  /// Adds the gradients of `other`, for example of another thread's share of the batch.
  Gradients& operator+=(const Gradients& other);
  /// Multiplies all gradients by `factor`.
  Gradients& operator*=(double factor);
  /// Forgets the gradient of x, if there is one.
  void drop(const Tensor& x);

  /// For optimizers that do not need the gradient of a weight itself: the two matrices whose product aᵀ b it
  /// is, or null if it already exists as a tensor. The gradient is computed from them when it is read.
  const detail::Product* product(const Tensor& x) const;

 private:
  friend class Tape;
  struct Item {
    Tensor tensor;                                   // or
    std::shared_ptr<const detail::Product> product;  // until it is changed
    const Tensor& value() const { return product ? product->value() : tensor; }
    void set(Tensor value) {
      tensor = std::move(value);
      product.reset();
    }
  };
  using Items = std::map<std::uint64_t, Item>;  // by id
  const Items& items() const;
  const Item* find(const Tensor& x) const;
  Items items_;
  detail::Moved moved_;
};

/// Records operations, to compute gradients. While it exists, it records its thread's operations on
/// parameters, on watched tensors, and on results of these. When it ends, all that it kept is freed. It lives
/// on the stack. Tapes nest: every existing tape records, so one can differentiate what another's backward
/// computes.
class Tape {
 public:
  /// Inside a recording tape it has the mode of that tape, training or evaluation, and the same Rng, which
  /// must outlive this tape too. Otherwise it means evaluation: dropout does nothing.
  Tape();
  /// Training: dropout draws from `rng`, which must outlive the tape.
  explicit Tape(Rng& rng);
  ~Tape();

  Tape(const Tape&) = delete;
  Tape& operator=(const Tape&) = delete;
  static void* operator new(std::size_t) = delete;
  static void* operator new[](std::size_t) = delete;

  /// Asks for the gradient of `x` (f32 or f64), which is an input or an intermediate result. For a parameter
  /// this also works while it is frozen.
  void watch(const Tensor& x);

  /// The gradients of `y`, which must have one element. Uses the tape up: it stops recording and frees what
  /// it kept.
  Gradients backward(const Tensor& y);
  /// The same for any `y`, starting from `dy`, the gradient of y.
  Gradients backward(const Tensor& y, const Tensor& dy) { return walk(y, dy, nullptr); }
  /// Only the gradients of `inputs`, watched or not: only rules on the way to one of them run.
  Gradients backward(const Tensor& y, const std::vector<Tensor>& inputs);
  Gradients backward(const Tensor& y, std::initializer_list<Tensor> inputs) {
    return backward(y, std::vector<Tensor>(inputs));
  }  ///< the same
  Gradients backward(const Tensor& y, const Tensor& dy, const std::vector<Tensor>& inputs) {
    return walk(y, dy, &inputs);
  }  ///< the same, from `dy`

  /// Whether x was watched or recorded, so that backward(x) is possible.
  bool has(const Tensor& x) const { return find(x) != absent; }
  /// Operations and inputs recorded and not yet used up.
  std::size_t size() const { return nodes_.size(); }

  /// An input of an operation. `from` is the operation that gave it, "parameter" or "watch"; null for a
  /// constant.
  struct Operand {
    const Tensor& x;
    const char* from;
  };
  /// An operation when it is recorded. `scope` is the module in which it happened, or null.
  struct Event {
    const char* operation;
    const Tensor& output;
    const void* scope;
    const std::vector<Operand>& inputs;  // as they were given to record()
  };
  /// A gradient in backward. First the complete gradient of a tensor; then, for each input of the operation
  /// that computed this tensor, what the input's rule returned.
  struct Flow {
    std::uint64_t tensor;  // its id
    const Tensor& dy;      // its gradient
    std::uint32_t input;   // whose rule ran; the position among the operation's inputs
    const Tensor* dx;      // what the rule returned; null before any rule ran
  };
  /// Calls `recorded` for every operation recorded from now on, and `flowed` for every gradient in backward,
  /// besides earlier observers; observe(nullptr) removes them all. What they compute is not recorded.
  void observe(std::function<void(const Event&)> recorded, std::function<void(const Flow&)> flowed = nullptr);

  /// Whether operations of this thread are recorded. In a rule: whether its own operations will be
  /// differentiated.
  static bool recording();

  /// The Rng that dropout draws from: that of this thread's innermost recording tape, or null in evaluation.
  static Rng* training_rng();

 private:
  friend void detail::record(const char*, const Tensor&, detail::Input*, std::size_t);

  // An operation's output, or an input. Its links are the topmost on the stack when backward comes to it.
  struct Node {
    const char* operation;
    Shape shape;
    DType dtype;
    bool wanted;  // report its gradient
    bool leads;   // to one that is wanted
    std::uint32_t links;
    std::uint64_t id;
    const void* scope;  // that it happened in
    Tensor gradient;
    std::shared_ptr<const detail::Product> product;  // in place of `gradient`
  };
  struct Link {
    std::uint32_t to;
    std::uint32_t input;  // position among the operation's inputs, for messages
    Rule rule;
  };

  static constexpr std::uint32_t absent = ~std::uint32_t{0};

  static Tape* next_recording(Tape* tape);  // it, or the nearest around it that is not used up
  std::uint32_t find(const Tensor& x) const;
  std::uint32_t find_input(const char* operation, const Tensor& x);
  std::uint32_t add_node(const char* operation, const Tensor& x, bool wanted);
  void check_usable(const char* call) const;
  Gradients walk(const Tensor& y, const Tensor& dy, const std::vector<Tensor>* inputs);
  void aim_at(const std::vector<Tensor>& inputs);
  void record(const char* operation, const Tensor& y, detail::Input* inputs, std::size_t count, bool last);
  bool keep_product(const Link& link, const Tensor& dy);
  bool add_slice(const Link& link, const Tensor& dy);
  void accumulate(const char* operation, const Link& link, Tensor gradient);
  void tell(const Flow& flow) const;

  Rng* rng_;
  Tape* outer_;
  const void* thread_;
  int pauses_;  // that lived when it began
  bool used_up_ = false;
  std::vector<Node> nodes_;
  std::vector<Link> links_;
  std::unordered_map<std::uint64_t, std::uint32_t> index_;
  std::vector<std::function<void(const Event&)>> recorded_;  // observers
  std::vector<std::function<void(const Flow&)>> flowed_;
};

/// While it exists, on the stack, earlier tapes of its thread record nothing and dropout does nothing. For
/// measurements, or tapes for evaluation, in the middle of training.
class Pause {
 public:
  Pause();
  ~Pause();
  Pause(const Pause&) = delete;
  Pause& operator=(const Pause&) = delete;
};

}  // namespace elk
