#pragma once

#include <string>
#include <string_view>

namespace modelmill {

/// The backend of a model whose file's name tells little, because files of all kinds are called so (.json, .txt,
/// .model, .xml) or several tools call theirs so (.bst): seen from what the file begins with; of .py whether it marks a
/// model. Empty for other names, and for files that are none or can't be read. Reads little, whatever the file's size.
std::string backend_of_content(const std::string& path);

/// A file that is no model, though a backend's are called so: XML that isn't OpenVINO's.
bool is_foreign(const std::string& path);

/// The same of a file's first bytes.
std::string backend_of_first_bytes(std::string_view bytes);

}  // namespace modelmill
