# UNTRIED: written by Conan's documentation, and never run. A recipe of Conan 2 for the tree that it lies in:
#   conan create <elkgrad>/cmake/conan --build=missing
import os

from conan import ConanFile
from conan.tools.build import check_min_cppstd
from conan.tools.cmake import CMake, CMakeDeps, CMakeToolchain, cmake_layout
from conan.tools.files import copy


class Elkgrad(ConanFile):
    name = "elkgrad"
    version = "0.1.0"
    license = "MIT"
    description = "A mini deep-learning framework with an explicit autograd tape"
    settings = "os", "arch", "compiler", "build_type"
    options = {"shared": [True, False], "fPIC": [True, False]}
    default_options = {"shared": False, "fPIC": True}

    def export_sources(self):
        root = os.path.join(self.recipe_folder, "..", "..")
        for pattern in ("CMakeLists.txt", "LICENSE", "cmake/*", "framework/*", "models/*"):
            copy(self, pattern, root, self.export_sources_folder)

    def validate(self):
        check_min_cppstd(self, 20)

    def requirements(self):
        self.requires("fmt/[>=9]")
        self.requires("libpng/[>=1.6]")
        self.requires("nlohmann_json/[>=3.11]")
        self.requires("openblas/[>=0.3.20]")
        self.requires("xtensor/[>=0.24]", transitive_headers=True)
        self.requires("xtensor-blas/[>=0.20]")
        self.requires("zlib/[>=1.2.11]")

    def layout(self):
        cmake_layout(self)

    def generate(self):
        CMakeDeps(self).generate()
        toolchain = CMakeToolchain(self)
        for option in ("ELK_BUILD_EXPERIMENTS", "ELK_BUILD_TESTS", "ELK_GRAPHVIZ"):
            toolchain.variables[option] = False
        toolchain.variables["ELK_ONEDNN"] = "OFF"
        toolchain.generate()

    def build(self):
        cmake = CMake(self)
        cmake.configure()
        cmake.build()

    def package(self):
        CMake(self).install()
        copy(self, "LICENSE", self.source_folder, os.path.join(self.package_folder, "licenses"))

    def package_info(self):
        self.cpp_info.set_property("cmake_find_mode", "none")  # elkgrad brings its own
        self.cpp_info.builddirs = [os.path.join("lib", "cmake", "elkgrad")]
