// Writes the built-in digits as `train` sees them, for digits_log.py: export_digits FILE.safetensors
#include <cstdio>
#include <exception>

#include <elk/data/digits.hpp>
#include <elk/io/safetensors.hpp>

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fputs("usage: export_digits FILE.safetensors\n", stderr);
    return 2;
  }
  try {
    const auto [train, test] = elk::digits_train_test(1);
    elk::save_safetensors(argv[1], {{"train.images", train.images},
                                    {"train.labels", train.labels},
                                    {"test.images", test.images},
                                    {"test.labels", test.labels}});
  } catch (const std::exception& error) {
    std::fprintf(stderr, "export_digits: %s\n", error.what());
    return 1;
  }
  return 0;
}
