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

/// The file's ending is one of the format's; that of saved_model.pb is ".savedmodel".
bool has_extension(const ModelFormat& format, const std::string& filename);

/// The installed backend whose model the file at `path` is; empty when there is none. Told by its usual name or else by
/// its ending; where an ending means little (.json, .txt) by what the file begins with.
std::string backend_of_file(const std::string& path, std::span<const ModelFormat> formats);

/// The file at `path` is one of the format's models, by its ending or by what it begins with.
bool is_model_of(const ModelFormat& format, const std::string& path);

/// The backend that the file or folder at `path` needs, whether it is installed or not: "pytorch" for "net.pt". Empty
/// when neither its name nor what it begins with tells.
std::string needed_backend(const std::string& path);

bool is_installed(const std::string& backend, std::span<const ModelFormat> formats);

/// "backend 'pytorch', which is not installed; ..." and what can be done, for errors.
std::string not_installed_text(const std::string& backend);

/// The same of a file that needs the backend; when it is installed all the same, what it serves instead.
std::string unserved_text(const std::string& backend, std::span<const ModelFormat> formats);

/// Why the file at `path` is no model that could be served.
std::string no_model_text(const std::string& path, std::span<const ModelFormat> formats);

/// ".onnx, .pt", for errors.
std::string extensions_text(std::span<const ModelFormat> formats);

}  // namespace modelmill
