// A network as one file, optionally with its optimizer:
//
//   elk::train::save("net.safetensors", net);
//   elk::train::load("net.safetensors", net);
//
//   elk::train::save("run.safetensors", net, adam);
//   elk::train::load("run.safetensors", net, adam);
#pragma once

#include <string>

#include <elk/nn/module.hpp>
#include <elk/optim/optimizer.hpp>

namespace elk::train {

/// Writes the parameters and buffers under their names, as a safetensors file that appears complete or not at
/// all; other tools can read it. ValueError for a network that lists nothing, or whose calls used a parameter
/// that it does not list; FileError when the file cannot be written.
void save(const std::string& path, const nn::Module& net);
/// The same with the optimizer's state, under names that begin with "optimizer.". ValueError if the network
/// has such names itself.
void save(const std::string& path, const nn::Module& net, const optim::AnyOptimizer& optimizer);

/// Loads what the network lists from a file of save(), with or without an optimizer, or from a file of
/// another tool with the same names. FileError when the file is damaged or belongs to another network; then
/// nothing has changed.
void load(const std::string& path, nn::Module& net);
/// The same with the optimizer. FileError also when the file has no optimizer, or one of another kind.
void load(const std::string& path, nn::Module& net, optim::AnyOptimizer& optimizer);

}  // namespace elk::train
