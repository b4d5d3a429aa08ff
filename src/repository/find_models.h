#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "repository/found_model.h"
#include "repository/model_format.h"

namespace modelmill {

/// What was found, and what was passed over and why, for the log.
struct FoundModels {
  std::vector<FoundModel> models;  // by name
  std::vector<std::string> notes;
};

/// What is packed or elsewhere, as it can be looked at here now. Of what has become unreadable the path may be what it
/// was before, with the problem.
struct LocalCopy {
  std::string path;                       // named as the original; empty: there is nothing to look at (yet)
  std::shared_ptr<const void> held = {};  // it stays while this does
  Status problem = {};
};

struct FindOptions {
  /// Models that have a configs/NAME.pbtxt are configured by that instead of their config.pbtxt.
  std::string config_name;
  /// Unpacks an archive. Null: archives are no models.
  std::function<LocalCopy(const std::string& path)> open_archive = {};
  /// Brings here what is at a URL that `file`, a modelmill.yaml, names. Null: no URL is known.
  std::function<LocalCopy(const std::string& url, const std::string& file)> open_url = {};
  /// The folder that the paths in `file`, a modelmill.yaml, may not leave because it came from elsewhere; empty: they
  /// may lead anywhere. Null: all may.
  std::function<std::string(const std::string& file)> bounds = {};
};

/// Looks at each path and tells what it is: a model file (version 1 of a model named as the file's stem), a
/// modelmill.yaml, a model's folder in any of the layouts of docs/layouts.md, an archive of it, or a folder of such
/// folders and files.
/// NAME=PATH gives the one model at PATH a name, where no file is called so as a whole. An error when a path is
/// missing, unreadable or holds no model. What is wrong with one model (unreadable, badly configured, or of another's
/// name) is that model's `problem`. Links are followed.
Result<FoundModels> find_models(const std::vector<std::string>& paths, std::span<const ModelFormat> formats,
                                const FindOptions& options = {});

}  // namespace modelmill
