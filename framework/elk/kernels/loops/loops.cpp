#include <atomic>
#include <cstdlib>
#include <string_view>

#include <elk/base/format.hpp>
#include <elk/kernels/loops/level.hpp>

namespace elk::kernels {

namespace {

bool machine_has(InstructionSet set) {
#ifdef ELK_X86
  // Exactly what the build compiles each level for.
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  switch (set) {
    case InstructionSet::baseline: return true;
    case InstructionSet::avx2: return avx2;
    case InstructionSet::avx512:
      return avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
             __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq");
  }
#endif
  return set == InstructionSet::baseline;
}

template <class T>
Loops<T> table(InstructionSet set) {
  const auto filled = [](auto add_products, auto add_elementwise) {
    Loops<T> loops{};
    add_products(loops);
    add_elementwise(loops);
    return loops;
  };
#ifdef ELK_X86
  if (set == InstructionSet::avx512) return filled(avx512::add_products<T>, avx512::add_elementwise<T>);
  if (set == InstructionSet::avx2) return filled(avx2::add_products<T>, avx2::add_elementwise<T>);
#endif
  (void)set;
  return filled(baseline::add_products<T>, baseline::add_elementwise<T>);
}

constexpr InstructionSet all[] = {InstructionSet::baseline, InstructionSet::avx2, InstructionSet::avx512};
constexpr const char* names[] = {"baseline", "avx2", "avx512"};

InstructionSet first_choice() {
  InstructionSet best = InstructionSet::baseline;
  for (const InstructionSet set : all)
    if (machine_has(set)) best = set;
  const char* wanted = std::getenv("ELK_ISA");
  if (wanted == nullptr || *wanted == '\0') return best;
  for (const InstructionSet set : all) {
    if (std::string_view(wanted) != names[static_cast<int>(set)]) continue;
    if (machine_has(set)) return set;
    fail<ValueError>("[ELK_ISA] this machine has no {}: the best it has is {}", wanted,
                     names[static_cast<int>(best)]);
  }
  fail<ValueError>("[ELK_ISA] expected baseline, avx2 or avx512, got \"{}\"", wanted);
}

std::atomic<int>& chosen() {
  static std::atomic<int> set{static_cast<int>(first_choice())};
  return set;
}

}  // namespace

InstructionSet instruction_set() {
  return static_cast<InstructionSet>(chosen().load(std::memory_order_relaxed));
}

const char* name(InstructionSet set) { return names[static_cast<int>(set)]; }

bool set_instruction_set(InstructionSet set) {
  if (!machine_has(set)) return false;
  chosen() = static_cast<int>(set);
  return true;
}

template <class T>
const Loops<T>& loops() {
  static const Loops<T> tables[] = {table<T>(all[0]), machine_has(all[1]) ? table<T>(all[1]) : Loops<T>(),
                                    machine_has(all[2]) ? table<T>(all[2]) : Loops<T>()};
  return tables[static_cast<int>(instruction_set())];
}
template const Loops<float>& loops();
template const Loops<double>& loops();

}  // namespace elk::kernels
