#include <algorithm>
#include <filesystem>
#include <system_error>
#include <vector>

#include <elk/base/format.hpp>
#include <elk/data/image_file.hpp>
#include <elk/data/image_folder.hpp>
#include <elk/tensor/storage.hpp>

namespace elk {

namespace fs = std::filesystem;

namespace {

// What is in a folder, sorted by name, without what is hidden.
std::vector<fs::path> content(const fs::path& folder) {
  std::error_code error;
  std::vector<fs::path> paths;
  for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error))
    if (!at->path().filename().string().starts_with('.')) paths.push_back(at->path());
  if (error) fail<FileError>("[image_folder] {} cannot be read: {}", folder.string(), error.message());
  std::sort(paths.begin(), paths.end(),
            [](const fs::path& a, const fs::path& b) { return a.filename() < b.filename(); });
  return paths;
}

bool is_folder(const fs::path& path) {
  std::error_code error;
  return fs::is_directory(path, error);
}

std::string size_of(const Tensor& image) { return fmt::format("{} x {}", image.size(-1), image.size(-2)); }

// Copies images (H, W) or (3, H, W) to `to`; a grey one three times where colours are wanted.
void copy(const Tensor& image, bool colours, std::uint8_t* to) {
  const auto pixels = image.data<std::uint8_t>();
  for (int i = 0; i < (colours && image.rank() == 2 ? 3 : 1); ++i)
    to = std::copy(pixels.begin(), pixels.end(), to);
}

}  // namespace

Dataset image_folder(const std::string& path) {
  Dataset set;
  const fs::path whole = fs::absolute(path).lexically_normal();  // ends with a slash where `path` does
  set.name = (whole.has_filename() ? whole : whole.parent_path()).filename().string();
  std::vector<Tensor> images;
  std::vector<std::int64_t> labels;
  bool colours = false;
  std::string first;  // file
  for (const fs::path& folder : content(path)) {
    if (!is_folder(folder)) continue;
    const std::size_t before = images.size();
    for (const fs::path& file : content(folder)) {
      if (std::error_code error; !fs::is_regular_file(file, error))
        fail<FileError>("[image_folder] {} is not a file, expected an image", file.string());
      images.push_back(read_image(file.string()));
      if (first.empty()) first = file.string();
      const Tensor& image = images.back();
      if (image.size(-1) != images[0].size(-1) || image.size(-2) != images[0].size(-2))
        fail<ShapeError>("[image_folder] {} is {} pixels, expected {} as {}", file.string(), size_of(image),
                         size_of(images[0]), first);
      colours = colours || image.rank() == 3;
      labels.push_back(static_cast<std::int64_t>(set.classes.size()));
    }
    if (images.size() == before) fail<FileError>("[image_folder] {} holds no images", folder.string());
    set.classes.push_back(folder.filename().string());
  }
  if (images.empty())
    fail<FileError>("[image_folder] {} holds no folders: expected one for each class, with its images", path);

  const Index n = static_cast<Index>(images.size()), height = images[0].size(-2), width = images[0].size(-1);
  set.images = empty(colours ? Shape{n, 3, height, width} : Shape{n, height, width}, u8);
  set.labels = from(labels);
  std::uint8_t* to = detail::writable<std::uint8_t>(set.images);
  for (Tensor& image : images) {
    copy(image, colours, to);
    to += set.features();
    image = Tensor();  // its memory is needed no more
  }
  return set;
}

}  // namespace elk
