// oneDNN computes in layouts of its own. Weights are converted once a call, images a part of the batch at a
// time, so that what a part converts stays in the caches. Parts depend on the shapes alone, and each is
// computed by one thread of ours with oneDNN's own threads off: so bits do not depend on how many there are.
#include <elk/kernels/onednn.hpp>

#ifdef ELK_ONEDNN

#include <dlfcn.h>

#include <algorithm>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include <oneapi/dnnl/dnnl.hpp>

#include <elk/base/format.hpp>
#include <elk/base/parallel.hpp>
#include <elk/kernels/loops/loops.hpp>
#include <elk/kernels/scratch.hpp>

namespace elk::kernels {

namespace {

using dnnl::memory;
using Layout = memory::desc;

// oneDNN asks OpenMP for its threads, whichever OpenMP it is linked with: there is to be one.
struct OpenMp {
  int (*get)() = nullptr;
  void (*set)(int) = nullptr;
};

OpenMp find_openmp() {
  return {reinterpret_cast<int (*)()>(::dlsym(RTLD_DEFAULT, "omp_get_max_threads")),
          reinterpret_cast<void (*)(int)>(::dlsym(RTLD_DEFAULT, "omp_set_num_threads"))};
}

const OpenMp& openmp() {
  static const OpenMp found = find_openmp();
  return found;
}

// While it is alive, oneDNN's work of this thread is its own. What else in the process uses OpenMP keeps its
// threads: the number is each thread's own.
class OneThread {
 public:
  OneThread() : before_(openmp().get()) {
    if (before_ != 1) openmp().set(1);
  }
  ~OneThread() {
    if (before_ != 1) openmp().set(before_);
  }
  OneThread(const OneThread&) = delete;
  OneThread& operator=(const OneThread&) = delete;

 private:
  int before_;
};

// oneDNN keeps to the instruction set that it is told before it first computes. Nothing where that is too
// late, as the program has used oneDNN itself.
std::optional<InstructionSet> tell_instruction_set() {
  const InstructionSet set = instruction_set();
  const dnnl::cpu_isa isa = set == InstructionSet::avx2 ? dnnl::cpu_isa::avx2 : dnnl::cpu_isa::avx512_core;
  if (openmp().get == nullptr || openmp().set == nullptr) return std::nullopt;
  if (dnnl::set_max_cpu_isa(isa) != dnnl::status::success || dnnl::get_effective_cpu_isa() != isa)
    return std::nullopt;
  return set;
}

bool usable() {
  const InstructionSet now = instruction_set();
  if (now == InstructionSet::baseline || now == InstructionSet::neon) return false;
  static const std::optional<InstructionSet> told = tell_instruction_set();
  return told == now;
}

const dnnl::engine& engine() {
  static const dnnl::engine cpu(dnnl::engine::kind::cpu, 0);
  return cpu;
}

// An operand in the caller's layout and in the primitive's, and what converts it from one into the other: of
// what is read into the latter, of what is written out of it. Empty where they are the same.
struct Operand {
  Layout plain, own;
  dnnl::primitive convert;
};

// How a number of images is convolved.
struct Plan {
  Index images;
  Operand x, weight, y;
  Layout bias;
  Layout work;  // what the primitive needs beside its operands
  dnnl::primitive convolution;
};

// What they take of scratch memory, in whole cache lines.
Index floats_of(const Layout& layout) { return (static_cast<Index>(layout.get_size()) + 63) / 64 * 16; }
Index floats_of(const Operand& operand) { return operand.convert ? floats_of(operand.own) : 0; }

#if DNNL_VERSION_MAJOR >= 3
template <class Kind, class... Form>
typename Kind::primitive_desc description(const dnnl::primitive_attr& attributes, const Form&... form) {
  return {engine(), form..., attributes};
}
template <class Kind, class... Form>
typename Kind::primitive_desc description_after(const dnnl::convolution_forward::primitive_desc& forward,
                                                const dnnl::primitive_attr& attributes, const Form&... form) {
  return {engine(), form..., forward, attributes};
}
#else
template <class Kind, class... Form>
typename Kind::primitive_desc description(const dnnl::primitive_attr& attributes, const Form&... form) {
  return {typename Kind::desc(form...), attributes, engine()};
}
template <class Kind, class... Form>
typename Kind::primitive_desc description_after(const dnnl::convolution_forward::primitive_desc& forward,
                                                const dnnl::primitive_attr& attributes, const Form&... form) {
  return {typename Kind::desc(form...), attributes, engine(), forward};
}
#endif

dnnl::primitive conversion(const Layout& from, const Layout& to) {
  if (from == to) return {};
  return dnnl::reorder(dnnl::reorder::primitive_desc(engine(), from, engine(), to));
}

// Null where oneDNN has none that is compiled for the form: its others are slower than ours. `like`, where
// given, is a plan whose layout of weights it shares.
std::shared_ptr<const Plan> make_plan(Pass pass, const Geometry& g, Index images, bool bias,
                                      const Plan* like) {
  const auto f32 = memory::data_type::f32;
  const memory::dims x_dims{images, g.how.groups * g.channels, g.image[0], g.image[1]},
      y_dims{images, g.how.groups * g.outputs, g.out[0], g.out[1]}, strides{g.how.stride[0], g.how.stride[1]},
      dilates{g.how.dilation[0] - 1, g.how.dilation[1] - 1}, padding{g.how.padding[0], g.how.padding[1]};
  const bool grouped = g.how.groups > 1;
  const memory::dims weight_dims =
      grouped ? memory::dims{g.how.groups, g.outputs, g.channels, g.kernel[0], g.kernel[1]}
              : memory::dims{g.outputs, g.channels, g.kernel[0], g.kernel[1]};
  const auto any = memory::format_tag::any;
  const Layout some_x(x_dims, f32, any), some_y(y_dims, f32, any),
      some_weight = like ? like->weight.own : Layout(weight_dims, f32, any);
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  const auto direct = dnnl::algorithm::convolution_direct;

  Plan plan;
  plan.images = images;
  plan.x.plain = Layout(x_dims, f32, memory::format_tag::nchw);
  plan.y.plain = Layout(y_dims, f32, memory::format_tag::nchw);
  plan.weight.plain =
      Layout(weight_dims, f32, grouped ? memory::format_tag::goihw : memory::format_tag::oihw);
  plan.bias = bias ? Layout({g.how.groups * g.outputs}, f32, memory::format_tag::x) : Layout();
  // Takes what oneDNN has found: true where it is compiled. The pass writes one operand, and reads the
  // others.
  const auto take = [&](const auto& found, const Layout& x, const Layout& weight, const Layout& y) {
    const std::string_view name = found.impl_info_str();
    plan.work = found.scratchpad_desc();
    plan.x.own = x, plan.weight.own = weight, plan.y.own = y;
    Operand* const written = pass == Pass::forward ? &plan.y : pass == Pass::input ? &plan.x : &plan.weight;
    for (Operand* operand : {&plan.x, &plan.weight, &plan.y})
      operand->convert = operand == written ? conversion(operand->own, operand->plain)
                                            : conversion(operand->plain, operand->own);
    return name.starts_with("jit") || name.starts_with("brg");
  };
  const auto forward = description<dnnl::convolution_forward>(attributes, dnnl::prop_kind::forward_training,
                                                              direct, some_x, some_weight, plan.bias, some_y,
                                                              strides, dilates, padding, padding);
  switch (pass) {
    case Pass::forward:
      if (!take(forward, forward.src_desc(), forward.weights_desc(), forward.dst_desc())) return nullptr;
      plan.convolution = dnnl::convolution_forward(forward);
      break;
    case Pass::input: {
      const auto found = description_after<dnnl::convolution_backward_data>(
          forward, attributes, direct, some_x, some_weight, some_y, strides, dilates, padding, padding);
      if (!take(found, found.diff_src_desc(), found.weights_desc(), found.diff_dst_desc())) return nullptr;
      plan.convolution = dnnl::convolution_backward_data(found);
      break;
    }
    case Pass::weight: {
      const auto found = description_after<dnnl::convolution_backward_weights>(
          forward, attributes, direct, some_x, some_weight, some_y, strides, dilates, padding, padding);
      if (!take(found, found.src_desc(), found.diff_weights_desc(), found.diff_dst_desc())) return nullptr;
      plan.convolution = dnnl::convolution_backward_weights(found);
      break;
    }
  }
  return std::make_shared<const Plan>(plan);
}

// Making a plan takes longer than many a convolution: those of a program's layers are kept.
std::shared_ptr<const Plan> find_plan(const char* operation, Pass pass, const Geometry& g, Index images,
                                      bool bias, const Plan* like) {
  static std::mutex mutex;
  static std::map<std::vector<Index>, std::shared_ptr<const Plan>> plans;
  constexpr std::size_t most = 256;
  const std::vector<Index> key{static_cast<Index>(pass),
                               images,
                               bias,
                               like ? like->images : 0,  // which decide the layout of its weights
                               g.channels,
                               g.outputs,
                               g.image[0],
                               g.image[1],
                               g.kernel[0],
                               g.kernel[1],
                               g.how.stride[0],
                               g.how.stride[1],
                               g.how.padding[0],
                               g.how.padding[1],
                               g.how.dilation[0],
                               g.how.dilation[1],
                               g.how.groups};
  const std::lock_guard lock(mutex);
  if (const auto known = plans.find(key); known != plans.end()) return known->second;
  if (plans.size() >= most) plans.clear();
  std::shared_ptr<const Plan> plan;
  try {
    plan = make_plan(pass, g, images, bias, like);
  } catch (const dnnl::error& error) {  // it has none at all
    if (error.status == dnnl_out_of_memory)
      fail<Error>("[{}] there is not enough memory for oneDNN's code", operation);
  }
  plans.emplace(key, plan);
  return plan;
}

// How the batch is cut: into parts of so many images, and what is left.
struct Parts {
  Index images, count, last;
};

Parts parts_of(Pass pass, const Geometry& g) {
  constexpr Index floats = Index{1} << 16,  // of x and y together: in two layouts half a MiB
      columns = 1024;                       // a part's gradient ends in a pass over the weights
  const Index one = g.how.groups * (g.channels * g.image_size() + g.outputs * g.pixels()),
              least = pass == Pass::weight ? (columns + g.pixels() - 1) / g.pixels() : 1,
              most = std::clamp<Index>(floats / one, std::min(least, g.batch), g.batch),
              count = (g.batch + most - 1) / most, images = (g.batch + count - 1) / count,
              parts = (g.batch + images - 1) / images;
  return {images, parts, g.batch - (parts - 1) * images};
}

// The plans of all parts.
struct Plans {
  Parts parts;
  std::shared_ptr<const Plan> whole, last;

  Plans(const char* operation, Pass pass, const Geometry& g, bool bias) : parts(parts_of(pass, g)) {
    if (!usable()) return;
    const OneThread alone;
    whole = find_plan(operation, pass, g, parts.images, bias, nullptr);
    if (!whole) return;
    last = parts.last == parts.images ? whole : find_plan(operation, pass, g, parts.last, bias, whole.get());
  }
  bool found() const { return whole && last; }
  const Plan& of(Index part) const { return part == parts.count - 1 ? *last : *whole; }
};

// What memory is for: see scratch.
struct OnednnWeights;
struct OnednnImages;
struct OnednnGradient;

memory view(const Layout& layout, const float* data) { return {layout, engine(), const_cast<float*>(data)}; }

// Does the work, with oneDNN's errors as ours, those of other threads' parts too.
template <class Work>
bool with_our_errors(const char* operation, Work work) {
  try {
    return work();
  } catch (const dnnl::error& error) {
    fail<Error>("[{}] oneDNN failed: {}", operation, error.message);
  }
}

// One thread's work for one plan.
class Worker {
 public:
  explicit Worker(const Plan& plan) : plan_(plan) {
    x_ = scratch<float, OnednnImages>(floats_of(plan.x) + floats_of(plan.y) + floats_of(plan.work));
    y_ = x_ + floats_of(plan.x);
    work_ = y_ + floats_of(plan.y);
  }

  // This thread's own memory for a part's images in the plan's layouts.
  float* x() const { return x_; }
  float* y() const { return y_; }

  // An operand that is read: as the caller has it, or converted, in `own`.
  memory in(const Operand& operand, const float* plain, float* own) {
    if (!operand.convert) return view(operand.own, plain);
    const memory converted = view(operand.own, own);
    run(operand.convert, {{DNNL_ARG_FROM, view(operand.plain, plain)}, {DNNL_ARG_TO, converted}});
    return converted;
  }
  // Where an operand is written, and how it comes from there.
  static memory place(const Operand& operand, float* plain, float* own) {
    return view(operand.own, operand.convert ? own : plain);
  }
  void out(const Operand& operand, const memory& own, float* plain) {
    if (operand.convert)
      run(operand.convert, {{DNNL_ARG_FROM, own}, {DNNL_ARG_TO, view(operand.plain, plain)}});
  }
  void convolve(std::unordered_map<int, memory> operands) {
    operands.emplace(DNNL_ARG_SCRATCHPAD, view(plan_.work, work_));
    run(plan_.convolution, operands);
  }

 private:
  static void run(const dnnl::primitive& primitive, const std::unordered_map<int, memory>& operands) {
    thread_local dnnl::stream stream(engine());
    primitive.execute(stream, operands);
  }

  const Plan& plan_;
  float *x_, *y_, *work_;
  OneThread alone_;
};

Index x_size(const Geometry& g) { return g.how.groups * g.channels * g.image_size(); }
Index y_size(const Geometry& g) { return g.how.groups * g.outputs * g.pixels(); }

}  // namespace

// docs/performance.md has what was measured. Of one pixel products have nothing to lay out. oneDNN computes
// whole vectors of channels, however few there are.
bool onednn_pays(Pass pass, const Geometry& g) {
  if (g.batch == 0 || g.kernel == std::array<Index, 2>{1, 1} || !usable()) return false;
  if (g.how.groups > 1 && g.channels == 1 && g.outputs == 1) return true;
  switch (pass) {
    case Pass::forward: return g.channels >= 2 && (g.batch >= 8 || g.pixels() <= 512);  // else cut in bands
    case Pass::input: return g.channels >= (instruction_set() == InstructionSet::avx2 ? 8 : 16);
    case Pass::weight: return g.channels == 3 || g.channels >= 6;
  }
  return false;
}

namespace {

// Forward and the input's gradient: of each part of the batch, x is made from y or y from x.
bool convolve_images(const char* operation, Pass pass, const Geometry& g, const float* from,
                     const float* weight, const float* bias, float* to) {
  const bool forward = pass == Pass::forward;
  const Index from_size = forward ? x_size(g) : y_size(g), to_size = forward ? y_size(g) : x_size(g);
  return with_our_errors(operation, [&] {
    const Plans plans(operation, pass, g, bias != nullptr);
    if (!plans.found()) return false;
    const Operand& weights = plans.whole->weight;
    float* const own = scratch<float, OnednnWeights>(floats_of(weights));
    const memory converted = Worker(*plans.whole).in(weights, weight, own);
    parallel_for(plans.parts.count, [&](Index part) {
      const Plan& plan = plans.of(part);
      const Index first = part * plans.parts.images;
      Worker worker(plan);
      const Operand &read = forward ? plan.x : plan.y, &written = forward ? plan.y : plan.x;
      float *const own_read = forward ? worker.x() : worker.y(),
                   *const own_written = forward ? worker.y() : worker.x(), *const out = to + first * to_size;
      const memory result = Worker::place(written, out, own_written);
      std::unordered_map<int, memory> operands{
          {forward ? DNNL_ARG_SRC : DNNL_ARG_DIFF_DST, worker.in(read, from + first * from_size, own_read)},
          {DNNL_ARG_WEIGHTS, converted},
          {forward ? DNNL_ARG_DST : DNNL_ARG_DIFF_SRC, result}};
      if (bias != nullptr) operands.emplace(DNNL_ARG_BIAS, view(plan.bias, bias));
      worker.convolve(std::move(operands));
      worker.out(written, result, out);
    });
    return true;
  });
}

}  // namespace

bool onednn_convolve(const char* operation, const Geometry& g, const float* x, const float* weight,
                     const float* bias, float* y) {
  return convolve_images(operation, Pass::forward, g, x, weight, bias, y);
}

bool onednn_convolve_input(const char* operation, const Geometry& g, const float* dy, const float* weight,
                           float* dx) {
  return convolve_images(operation, Pass::input, g, dy, weight, nullptr, dx);
}

bool onednn_convolve_weight(const char* operation, const Geometry& g, const float* dy, const float* x,
                            float* dweight) {
  return with_our_errors(operation, [&] {
    const Plans plans(operation, Pass::weight, g, false);
    if (!plans.found()) return false;
    const Layout& layout = plans.whole->weight.own;
    const Index size = static_cast<Index>(layout.get_size() / sizeof(float));
    // A few runs of parts are summed in f64 each, and then in order.
    const Runs runs(plans.parts.count, size);
    std::vector<double> sums(static_cast<std::size_t>(runs.count() * size));
    parallel_for(runs.count(), [&](Index run) {
      float* const product = scratch<float, OnednnGradient>(size);
      for (Index part = runs.begin(run); part < runs.end(run); ++part) {
        const Plan& plan = plans.of(part);
        const Index first = part * plans.parts.images;
        Worker worker(plan);
        worker.convolve({{DNNL_ARG_DIFF_DST, worker.in(plan.y, dy + first * y_size(g), worker.y())},
                         {DNNL_ARG_SRC, worker.in(plan.x, x + first * x_size(g), worker.x())},
                         {DNNL_ARG_DIFF_WEIGHTS, view(layout, product)}});
        loops<float>().add_to(size, product, sums.data() + run * size);
      }
    });
    const Operand& weights = plans.whole->weight;
    float* const total = weights.convert ? scratch<float, OnednnGradient>(size) : dweight;
    runs.add(sums, total);
    Worker(*plans.whole).out(weights, view(layout, total), dweight);
    return true;
  });
}

}  // namespace elk::kernels

#else

namespace elk::kernels {

bool onednn_pays(Pass, const Geometry&) { return false; }
bool onednn_convolve(const char*, const Geometry&, const float*, const float*, const float*, float*) {
  return false;
}
bool onednn_convolve_input(const char*, const Geometry&, const float*, const float*, float*) { return false; }
bool onednn_convolve_weight(const char*, const Geometry&, const float*, const float*, float*) {
  return false;
}

}  // namespace elk::kernels

#endif
