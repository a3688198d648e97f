// Digests that our files carry of themselves, so that what changed at rest is noticed. Files of others have
// none, and are read all the same. Private.
#pragma once

#include <string>

#include <nlohmann/json_fwd.hpp>

#include <elk/io/safetensors.hpp>

namespace elk {

/// `object`, the text of a JSON object that is not empty, with a field "digest" behind the others: the
/// SHA-256 of the object without it, its names sorted and without spaces, so that laying it out anew does no
/// harm. All else stays as it is; where there is a field a line, the digest gets one too.
std::string with_digest(const std::string& object);

/// Takes the digest, if there is one, out of an object that was read. ValueError when it is that of another
/// object, or when objects are nested in it more than 20 deep, which no file of ours is.
void take_digest(nlohmann::json& object);

/// `metadata` with a text "digest" of all else in the file. The SHA-256 of these strings, each behind its
/// length in bytes and a colon ("4:name"): of each text of the metadata, in the order of their names, name
/// and text; of each tensor, in the order of their names, name, dtype and shape ("f32 [2,3]") and elements.
Metadata with_digest(const State& tensors, Metadata metadata);

/// ValueError when the file has a digest that is that of another content.
void check_digest(const SafetensorsFile& file);

}  // namespace elk
