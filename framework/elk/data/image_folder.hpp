// A folder of images, sorted into folders by what they show.
#pragma once

#include <string>

#include <elk/data/dataset.hpp>

namespace elk {

/// The images of `path`/CLASS/FILE, PNG or PGM as read_image takes them: the folders, sorted by name, are
/// the classes, and the files of each, sorted by name, follow each other. All must have one size. The images
/// are u8 (N, H, W) where all files are grey, else (N, 3, H, W), red, green and blue. Names that begin with a
/// dot are passed over, and so are files beside the folders. The data set is called as its folder is.
///
///   const auto [train, test] = elk::split(elk::image_folder("pets"), 1000, rng);
///
/// ShapeError naming a file of another size; FileError naming what cannot be read, a folder without images,
/// or `path` where there are no folders in it.
Dataset image_folder(const std::string& path);

}  // namespace elk
