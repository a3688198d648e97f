#include <lab/digest.hpp>

#include <openssl/evp.h>

#include <memory>

#include <fmt/format.h>

#include <elk/base/error.hpp>

namespace elk::lab {

namespace {

class Sha256 {
 public:
  Sha256() : context_(EVP_MD_CTX_new()) {
    if (!context_ || EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) != 1)
      throw Error("[digest] OpenSSL has no SHA-256 here");
  }
  void add(std::string_view bytes) { EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()); }
  std::string hex() {
    unsigned char bytes[EVP_MAX_MD_SIZE];
    unsigned int count = 0;
    EVP_DigestFinal_ex(context_.get(), bytes, &count);
    std::string text;
    for (unsigned int i = 0; i < count; ++i) text += fmt::format("{:02x}", bytes[i]);
    return text;
  }

 private:
  struct Free {
    void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
  };
  std::unique_ptr<EVP_MD_CTX, Free> context_;
};

template <class T>
std::string_view bytes_of(const Tensor& tensor) {
  const auto data = tensor.data<T>();
  return {reinterpret_cast<const char*>(data.data()), data.size_bytes()};
}

}  // namespace

std::string sha256(std::string_view bytes) {
  Sha256 sum;
  sum.add(bytes);
  return sum.hex();
}

std::string data_digest(const TrainTest& data) {
  Sha256 sum;
  for (const Dataset* set : {&data.train, &data.test}) {
    std::string head = fmt::format("{} {}", set->name, to_string(set->images.shape()));
    for (const std::string& name : set->classes) head += "\n" + name;
    sum.add(head + "\n\n");
    sum.add(bytes_of<std::uint8_t>(set->images));
    sum.add(bytes_of<std::int64_t>(set->labels));
  }
  return sum.hex();
}

}  // namespace elk::lab
