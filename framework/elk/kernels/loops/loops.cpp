#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <initializer_list>
#include <string_view>
#include <type_traits>

#include <elk/base/format.hpp>
#include <elk/base/machine.hpp>
#include <elk/base/precision.hpp>
#include <elk/kernels/loops/level.hpp>

#if defined(ELK_X86) && defined(__linux__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

#if defined(ELK_X86)
extern "C" [[gnu::weak]] char* openblas_get_corename();  // in OpenBLAS alone
#endif

namespace elk::kernels {

namespace {

// In the order of InstructionSet: the best last, and those of other processors are not there.
constexpr InstructionSet all[] = {InstructionSet::baseline, InstructionSet::avx2, InstructionSet::avx512,
                                  InstructionSet::amx, InstructionSet::neon};
constexpr const char* names[] = {"baseline", "avx2", "avx512", "amx", "neon"};

#if defined(ELK_X86) && defined(__linux__)
// Not among the names that __builtin_cpu_supports of GCC 12 and Clang 14 knows. The system must permit the
// use of AMX's registers, too, which every process asks for.
bool has_amx_bf16() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  constexpr unsigned amx_bf16 = 1u << 22, amx_tile = 1u << 24, avx512_bf16 = 1u << 5;
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || (d & amx_bf16) == 0 || (d & amx_tile) == 0) return false;
  if (!__get_cpuid_count(7, 1, &a, &b, &c, &d) || (a & avx512_bf16) == 0) return false;
  constexpr int request_permission = 0x1023, tile_data = 18;  // ARCH_REQ_XCOMP_PERM of Linux' arch_prctl
  return ::syscall(SYS_arch_prctl, request_permission, tile_data) == 0;
}
#else
[[maybe_unused]] bool has_amx_bf16() { return false; }
#endif

// Exactly what the build compiles each level for.
bool machine_has(InstructionSet set) {
  switch (set) {
    case InstructionSet::baseline: return true;
#if defined(ELK_X86)
    case InstructionSet::avx2: return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    case InstructionSet::avx512:
      return machine_has(InstructionSet::avx2) && __builtin_cpu_supports("avx512f") &&
             __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw") &&
             __builtin_cpu_supports("avx512dq");
    case InstructionSet::amx: {
      static const bool amx = machine_has(InstructionSet::avx512) && has_amx_bf16();
      return amx;
    }
#elif defined(ELK_ARM64)
    case InstructionSet::neon: return true;
#endif
    default: return false;
  }
}

template <class T>
Loops<T> joined(const BothTypes<ProductLoops>& products, const BothTypes<ElementLoops>& elements,
                const BothTypes<RowLoops>& rows) {
  if constexpr (std::is_same_v<T, float>)
    return {products.f32, elements.f32, rows.f32};
  else
    return {products.f64, elements.f64, rows.f64};
}

template <class T>
Loops<T> table(InstructionSet set) {
  switch (set) {
#if defined(ELK_X86)
    case InstructionSet::avx2: return joined<T>(avx2::products, avx2::elements, avx2::rows);
    case InstructionSet::avx512:
    case InstructionSet::amx: return joined<T>(avx512::products, avx512::elements, avx512::rows);
#elif defined(ELK_ARM64)
    case InstructionSet::neon: return joined<T>(neon::products, neon::elements, neon::rows);
#endif
    default: return joined<T>(baseline::products, baseline::elements, baseline::rows);
  }
}

// OpenBLAS takes the kernels of the processor that this variable names without a look at the machine, on
// which an illegal instruction may then end the program.
void check_openblas() {
#if defined(ELK_X86)
  const char* wanted = std::getenv("OPENBLAS_CORETYPE");
  if (wanted == nullptr || *wanted == '\0' || !openblas_get_corename) return;
  const std::string_view core = openblas_get_corename();
  const auto refuse = [&](const char* lacking) {
    fail<ValueError>(
        "[OPENBLAS_CORETYPE] this machine has no {}, which OpenBLAS uses for {}: unset the variable", lacking,
        core);
  };
  const auto is_one_of = [&](std::initializer_list<std::string_view> cores) {
    return std::find(cores.begin(), cores.end(), core) != cores.end();
  };
  if (is_one_of({"Sandybridge", "Bulldozer", "Piledriver", "Steamroller"}) && !__builtin_cpu_supports("avx"))
    refuse("avx");
  if (is_one_of({"Haswell", "Zen", "Excavator"}) && !machine_has(InstructionSet::avx2)) refuse("avx2");
  if (is_one_of({"SkylakeX", "Cooperlake", "Sapphirerapids"}) && !machine_has(InstructionSet::avx512))
    refuse("avx512");
#endif
}

InstructionSet first_choice() {
  check_openblas();
  InstructionSet best = InstructionSet::baseline;
  for (const InstructionSet set : all)
    if (machine_has(set)) best = set;
  const char* wanted = std::getenv("ELK_ISA");
  if (wanted == nullptr || *wanted == '\0') return best;
  for (const InstructionSet set : all) {
    if (std::string_view(wanted) != name(set)) continue;
    if (machine_has(set)) return set;
    fail<ValueError>("[ELK_ISA] this machine has no {}: the best it has is {}", wanted, name(best));
  }
  fail<ValueError>("[ELK_ISA] expected baseline, avx2, avx512, amx or neon, got {}", shown(wanted));
}

std::atomic<InstructionSet>& chosen() {
  static std::atomic<InstructionSet> set{first_choice()};
  return set;
}

}  // namespace

const char* name(InstructionSet set) { return names[static_cast<int>(set)]; }

InstructionSet instruction_set() { return chosen().load(std::memory_order_relaxed); }

bool set_instruction_set(InstructionSet set) {
  if (!machine_has(set)) return false;
  chosen() = set;
  return true;
}

template <class T>
const Loops<T>& loops() {
  static const Loops<T> tables[] = {table<T>(all[0]), table<T>(all[1]), table<T>(all[2]), table<T>(all[3]),
                                    table<T>(all[4])};
  return tables[static_cast<int>(instruction_set())];
}
template const Loops<float>& loops();
template const Loops<double>& loops();

#ifdef ELK_X86
void multiply_bf16(const Product<float>& p, std::uint16_t* scratch) { amx::products.multiply(p, scratch); }
Index bf16_scratch() { return amx::products.scratch; }
#else
void multiply_bf16(const Product<float>&, std::uint16_t*) {}
Index bf16_scratch() { return 0; }
#endif

}  // namespace elk::kernels

std::string elk::instruction_set() { return name(kernels::instruction_set()); }

bool elk::bf16_available() { return kernels::instruction_set() == kernels::InstructionSet::amx; }
