#pragma once

#include <span>
#include <string>
#include <vector>

namespace modelmill {

/// What a backend's models look like on disk.
struct ModelFormat {
  std::string backend;
  std::string default_file;             // "model.onnx"; empty: needs no file
  std::vector<std::string> extensions;  // ".onnx"
};

/// The file's ending is one of the format's.
bool has_extension(const ModelFormat& format, const std::string& filename);

/// The installed backend whose model this file is, by its usual name or else by its ending; empty when there is none.
std::string backend_of_file(const std::string& filename, std::span<const ModelFormat> formats);

/// The backend that a file or folder of this name needs, whether it is installed or not: "pytorch" for "net.pt". Empty
/// when the name tells nothing.
std::string needed_backend(const std::string& filename);

bool is_installed(const std::string& backend, std::span<const ModelFormat> formats);

/// "backend 'pytorch', which is not installed; ..." and what can be done, for errors.
std::string not_installed_text(const std::string& backend);

/// ".onnx, .pt", for errors.
std::string extensions_text(std::span<const ModelFormat> formats);

}  // namespace modelmill
