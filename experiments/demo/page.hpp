// The files of the page, which CMake puts into the program; see page/.
#pragma once

#include <string_view>

namespace elk::demo::page {

extern const std::string_view index_html, base_css, style_css, icon_svg;
extern const std::string_view app_js, drawing_js, gallery_js, pictures_js, training_js;

struct File {
  const char* path;
  const char* type;
  const std::string_view& content;
};

constexpr const char *script = "text/javascript; charset=utf-8", *style = "text/css; charset=utf-8";

inline const File files[] = {
    {"/", "text/html; charset=utf-8", index_html},
    {"/base.css", style, base_css},
    {"/style.css", style, style_css},
    {"/icon.svg", "image/svg+xml", icon_svg},
    {"/app.js", script, app_js},
    {"/drawing.js", script, drawing_js},
    {"/gallery.js", script, gallery_js},
    {"/pictures.js", script, pictures_js},
    {"/training.js", script, training_js},
};

}  // namespace elk::demo::page
