#include "page.hpp"

#include <cstdint>
#include <string_view>

#ifdef ELK_WASM
#include <zlib.h>
#endif

#include <demo/page.hpp>
#include <elk/base/error.hpp>
#include <elk/debug/trace/graph.hpp>

namespace elk::play {

#ifdef ELK_WASM
namespace page {

extern const std::string_view index_html, style_css, app_js, pictures_js, lens_js, chapters_js;
extern const std::string_view chapter_4, chapter_6;
extern const std::string_view module_js, module_wasm;

}  // namespace page

namespace {

void put(std::string& text, std::string_view mark, std::string_view content) {
  text.replace(text.find(mark), mark.size(), content);
}

// A text within a script of JSON, which no text in it can end.
std::string quoted(std::string_view text) {
  std::string result = "\"";
  for (const char c : text)
    if (c == '<')
      result += "\\u003c";
    else if (c == '\n')
      result += "\\n";
    else if (c == '\t')
      result += "\\t";
    else if (c == '"' || c == '\\')
      (result += '\\') += c;
    else
      result += c;
  return result + "\"";
}

std::string compressed(std::string_view bytes) {  // by gzip, which browsers know
  z_stream stream{};
  constexpr int window = 15, gzip = 16;
  if (deflateInit2(&stream, Z_BEST_COMPRESSION, Z_DEFLATED, window + gzip, 9, Z_DEFAULT_STRATEGY) != Z_OK)
    throw Error("[play] there is not enough memory to compress the module");
  std::string result(deflateBound(&stream, static_cast<uLong>(bytes.size())), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(result.data());
  stream.avail_out = static_cast<uInt>(result.size());
  deflate(&stream, Z_FINISH);
  result.resize(stream.total_out);
  deflateEnd(&stream);
  return result;
}

std::string base64(std::string_view bytes) {
  constexpr const char* letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t three = 0;
    for (std::size_t k = 0; k < 3; ++k)
      three = three << 8 | (i + k < bytes.size() ? static_cast<std::uint8_t>(bytes[i + k]) : 0u);
    for (std::size_t k = 0; k < 4; ++k)
      text += i + k > bytes.size() ? '=' : letters[three >> (18 - 6 * k) & 63];
  }
  return text;
}

}  // namespace

std::string whole_page() {
  std::string text(page::index_html), script;
  for (const std::string_view part : {page::pictures_js, page::lens_js, page::chapters_js, page::app_js})
    (script += part) += '\n';
  put(text, "/* script */", script);  // from the back: the first mark found is the page's own
  put(text, "/* module */", page::module_js);
  put(text, "/* wasm */", base64(compressed(page::module_wasm)));
  put(text, "/* chapters */",
      "{\"4-layers.md\": " + quoted(page::chapter_4) + ", \"6-numbers.md\": " + quoted(page::chapter_6) +
          "}");
  put(text, "/* viewer */", quoted(tracing::page("/* data */")));  // which come later
  put(text, "/* style */", std::string(demo::page::base_css) + std::string(page::style_css));
  return text;
}
#else
std::string whole_page() {
  throw Error(
      "[play] this build has no page, as there was no em++ when it was configured; on Debian: apt-get "
      "install "
      "emscripten node-acorn, and configure again");
}
#endif

}  // namespace elk::play
