// Folders of images, and what is wrong with them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include <elk/data/image_folder.hpp>

#include <support.hpp>
#include "png.hpp"
#include "support.hpp"

namespace elk::test {
namespace {

using testing::ElementsAre;

Bytes bytes(const std::string& text) { return {text.begin(), text.end()}; }

// A grey image of 2 x 1 pixels.
std::string pair(const std::string& pixels) { return "P5 2 1 255\n" + pixels; }

TEST(ImageFolder, SortsClassesAndFiles) {
  const TempFolder folder;
  folder.write("pets/dog/b.pgm", bytes(pair("ef")));
  folder.write("pets/dog/a.PGM", bytes(pair("cd")));
  folder.write("pets/cat/10", bytes(pair("ab")));  // whatever it is called
  folder.write("pets/.git/config", bytes("hidden"));
  folder.write("pets/cat/.DS_Store", bytes("hidden"));
  folder.write("pets/README", bytes("beside the folders"));
  for (const std::string& path : {folder.path("pets"), folder.path("pets/"), folder.path("pets/cat/..")}) {
    const Dataset set = image_folder(path);
    EXPECT_EQ(set.name, "pets");
    EXPECT_EQ(set.images.dtype(), u8);
    EXPECT_EQ(set.images.shape(), (Shape{3, 1, 2}));
    EXPECT_EQ(set.sample_shape(), (Shape{1, 2}));
    EXPECT_THAT(values(set.images), ElementsAre('a', 'b', 'c', 'd', 'e', 'f'));
    EXPECT_THAT(values(set.labels), ElementsAre(0, 1, 1));
    EXPECT_THAT(set.classes, ElementsAre("cat", "dog"));
    set.check();
  }
}

TEST(ImageFolder, NamesWhatDoesNotFit) {
  const TempFolder folder;
  const std::string pets = folder.path("pets");
  const auto error = [&]() -> std::string {
    try {
      (void)image_folder(pets);
    } catch (const Error& e) {
      return e.what();
    }
    return "no error";
  };
  EXPECT_EQ(error(), "[image_folder] " + pets + " cannot be read: No such file or directory");
  folder.write("pets/cat.pgm", bytes(pair("ab")));
  EXPECT_EQ(error(),
            "[image_folder] " + pets + " holds no folders: expected one for each class, with its images");
  EXPECT_EQ(error_of<FileError>([&] { (void)image_folder(pets + "/cat.pgm"); }),
            "[image_folder] " + pets + "/cat.pgm cannot be read: Not a directory");
  folder.write("pets/cat/a", bytes(pair("ab")));
  folder.write("pets/dog/.hidden", {});
  EXPECT_EQ(error(), "[image_folder] " + pets + "/dog holds no images");
  folder.write("pets/dog/b", bytes("P5 2 3 255\nabcdef"));
  EXPECT_EQ(error(),
            "[image_folder] " + pets + "/dog/b is 2 x 3 pixels, expected 2 x 1 as " + pets + "/cat/a");
  EXPECT_EQ(error_of<ShapeError>([&] { (void)image_folder(pets); }), error());
  folder.write("pets/dog/b", bytes("\xff\xd8\xff\xe0 JFIF"));
  EXPECT_EQ(error(), "[image] " + pets + "/dog/b is a JPEG image, expected PNG or PGM");
  folder.write("pets/dog/b", bytes("P5 2 1 255\na"));
  EXPECT_EQ(error(), "[image] " + pets + "/dog/b has the wrong size: expected 2 bytes of pixels, found 1");
  folder.write("pets/cat/more/a", bytes(pair("ab")));
  EXPECT_EQ(error(), "[image_folder] " + pets + "/cat/more is not a file, expected an image");
  std::filesystem::remove_all(pets + "/cat/more");
  std::filesystem::create_symlink("nowhere", pets + "/cat/link");
  EXPECT_EQ(error(), "[image_folder] " + pets + "/cat/link is not a file, expected an image");
}

#ifdef ELK_HAS_PNG

TEST(ImageFolder, ReadsPng) {
  const TempFolder folder;
  folder.write("digits/0/a.png", bytes(png(2, 1, grey, 8, "ab")));
  folder.write("digits/1/a.png", bytes(png(2, 1, grey_alpha, 8,
                                           "c\xff"
                                           "d\xff")));
  Dataset set = image_folder(folder.path("digits"));
  EXPECT_EQ(set.images.shape(), (Shape{2, 1, 2}));
  EXPECT_THAT(values(set.images), ElementsAre('a', 'b', 'c', 'd'));

  // Where one has colours all have; as the reader of CIFAR-10 gives them, plane by plane.
  folder.write("digits/1/b.png", bytes(png(2, 1, rgb, 8, "rgbRGB")));
  set = image_folder(folder.path("digits"));
  EXPECT_EQ(set.images.shape(), (Shape{3, 3, 1, 2}));
  EXPECT_EQ(set.sample_shape(), (Shape{3, 1, 2}));
  EXPECT_THAT(values(set.images), ElementsAre('a', 'b', 'a', 'b', 'a', 'b', 'c', 'd', 'c', 'd', 'c', 'd', 'r',
                                              'R', 'g', 'G', 'b', 'B'));
  const std::string cut = png(2, 1, rgb, 8, "rgbRGB").substr(0, 50);
  const std::string path = folder.write("digits/2/c.png", bytes(cut));
  EXPECT_EQ(error_of<FileError>([&] { (void)image_folder(folder.path("digits")); }),
            "[image] " + path + " is cut off: the PNG ends after 50 bytes");
}

#endif

}  // namespace
}  // namespace elk::test
