#include "state/file_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "state/testing/store_folder.h"

namespace modelmill {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;

std::unique_ptr<FileStore> opened(const StoreFolder& folder,
                                  const StoreFormats& formats = StoreFormats::of_this_release()) {
  auto store = FileStore::open(folder.path(), formats);
  EXPECT_TRUE(store.ok()) << store.status().to_string();
  return store.ok() ? *std::move(store) : nullptr;
}

std::string value_of(StateStore& store, const std::string& key) {
  const auto stored = store.get(key);
  EXPECT_TRUE(stored.ok()) << stored.status().to_string();
  return stored.ok() && *stored ? (*stored)->value : "none";
}

TEST(FileStore, PutsWhatWasReadAndNothingElse) {
  const StoreFolder folder;
  const auto store = opened(folder);
  EXPECT_EQ(value_of(*store, "a"), "none");
  const auto first = store->compare_and_put("a", "1", 0);
  ASSERT_TRUE(first.ok()) << first.status().to_string();
  EXPECT_EQ(store->compare_and_put("a", "2", 0).status().code(), Code::kAborted);
  EXPECT_EQ(store->compare_and_put("a", "2", *first + 1).status().code(), Code::kAborted);
  EXPECT_EQ(store->compare_and_put("b", std::nullopt, *first).status().code(), Code::kAborted);
  EXPECT_EQ(value_of(*store, "a"), "1");
  const auto second = store->compare_and_put("a", "2", *first);
  ASSERT_TRUE(second.ok());
  EXPECT_GT(*second, *first);
  EXPECT_EQ((*store->get("a"))->revision, *second);
  EXPECT_EQ(*store->compare_and_put("a", std::nullopt, *second), 0U);
  EXPECT_EQ(*store->compare_and_put("a", std::nullopt, 0), 0U);
  EXPECT_EQ(value_of(*store, "a"), "none");
}

TEST(FileStore, ARevisionIsNeverGivenAgain) {
  const StoreFolder folder;
  std::set<uint64_t> given;
  uint64_t last = 0;
  for (int i = 0; i < 20; ++i) {
    const auto store = opened(folder);
    last = *store->compare_and_put("a", "1", last);
    EXPECT_TRUE(given.insert(last).second) << last;
    if (i % 3 == 0) last = *store->compare_and_put("a", std::nullopt, last);
  }
  // The count is lost where the machine crashes; what the entries have counts then.
  fs::remove(folder / "lock");
  EXPECT_TRUE(given.insert(*opened(folder)->compare_and_put("b", "1", 0)).second);
}

TEST(FileStore, OutlastsItsProcessAndListsByPrefix) {
  const StoreFolder folder;
  for (const char* key : {"models/a", "models/b/../c", "routes/a", "models"})
    ASSERT_TRUE(opened(folder)->compare_and_put(key, "{\"k\": \"" + std::string(key) + "\"}", 0).ok());
  const auto listed = opened(folder)->list("models/");
  ASSERT_TRUE(listed.ok());
  ASSERT_EQ(listed->size(), 2U);
  EXPECT_EQ(listed->at("models/b/../c").value, R"({"k": "models/b/../c"})");
  EXPECT_EQ(opened(folder)->list("")->size(), 4U);
}

TEST(FileStore, TakesJsonOnlyAndNotTooMuch) {
  const StoreFolder folder;
  const auto store = opened(folder);
  for (const std::string& value : {std::string("{"), std::string(), std::string("\"\xff\""),
                                   "\"" + std::string(FileStore::kLargestValue, 'x') + "\""})
    EXPECT_EQ(store->compare_and_put("a", value, 0).status().code(), Code::kInvalidArgument);
  EXPECT_TRUE(store->compare_and_put("a", "\"" + std::string(FileStore::kLargestValue - 2, 'x') + "\"", 0).ok());
  EXPECT_EQ(value_of(*store, "a").size(), FileStore::kLargestValue);
}

/// Cut at each place, and each byte changed: the entry is told of once, set aside as it was, and the store goes on.
TEST(FileStore, DamagedEntriesAreSetAside) {
  const StoreFolder folder;
  const std::string file = folder / "entries/a.json";
  ASSERT_TRUE(opened(folder)->compare_and_put("a", R"({"x": 1})", 0).ok());
  ASSERT_TRUE(opened(folder)->compare_and_put("b", "1", 0).ok());
  const std::string whole = StoreFolder::text(file);
  std::vector<std::string> damaged;
  for (size_t at = 0; at < whole.size(); ++at) damaged.push_back(whole.substr(0, at));
  const size_t value = whole.find('\n') + 1;
  for (size_t at = value; at < whole.size(); ++at) {
    damaged.push_back(whole);
    damaged.back()[at] ^= 1;
  }
  for (const std::string& text : damaged) {
    const auto store = opened(folder);
    StoreFolder::write(file, text);
    const Status status = store->get("a").status();
    ASSERT_EQ(status.code(), Code::kDataLoss) << text;
    EXPECT_THAT(status.message(), HasSubstr(".corrupt"));
    EXPECT_EQ(StoreFolder::text(file + ".corrupt"), text);
    EXPECT_EQ(value_of(*store, "a"), "none");
    EXPECT_EQ(store->list("")->size(), 1U);
    fs::remove(file + ".corrupt");
  }
}

TEST(FileStore, DamageIsFoundAtTheStart) {
  const StoreFolder folder;
  ASSERT_TRUE(opened(folder)->compare_and_put("a", "1", 0).ok());
  ASSERT_TRUE(opened(folder)->compare_and_put("b", "1", 0).ok());
  for (const char* ending : {".corrupt", ".corrupt2"}) {
    StoreFolder::write(folder / "entries/a.json", StoreFolder::text(folder / "entries/b.json"));  // another key's
    EXPECT_THAT(opened(folder)->set_aside(), ElementsAre(folder / ("entries/a.json" + std::string(ending))));
  }
  EXPECT_EQ(opened(folder)->list("")->size(), 1U);
}

TEST(FileStore, ALaterFormatIsRefusedAndLeftAsItIs) {
  const StoreFolder folder;
  ASSERT_TRUE(opened(folder)->compare_and_put("a", "1", 0).ok());
  const auto running = opened(folder);
  StoreFolder::write(folder / "format", "{\"format\": 2}\n");
  StoreFolder::write(folder / "entries/a.json", "{\"format\":2}\nwho knows");
  StoreFolder::write(folder / "entries/b.json.draft", "");
  const auto before = folder.files();
  const Status refused = FileStore::open(folder.path()).status();
  EXPECT_EQ(refused.code(), Code::kFailedPrecondition);
  EXPECT_THAT(refused.message(), HasSubstr("has format 2 (file '" + folder / "format" +
                                           "'), and this release reads "
                                           "format 1"));
  // A server of this release that runs while a later one starts beside it.
  EXPECT_EQ(running->compare_and_put("a", "2", 1).status().code(), Code::kFailedPrecondition);
  EXPECT_EQ(running->get("a").status().code(), Code::kFailedPrecondition);
  EXPECT_EQ(folder.files(), before);
}

TEST(FileStore, AFormatThatCantBeKnownIsLeftAsItIs) {
  const StoreFolder folder;
  ASSERT_TRUE(opened(folder)->compare_and_put("a", "1", 0).ok());
  StoreFolder::write(folder / "format", "");
  EXPECT_EQ(FileStore::open(folder.path()).status().code(), Code::kDataLoss);
  fs::remove(folder / "format");
  EXPECT_EQ(FileStore::open(folder.path()).status().code(), Code::kDataLoss);
  EXPECT_TRUE(fs::exists(folder / "entries/a.json"));
}

/// A release to come: its format 2 is written as format 1 is, and what format 1 has it reads as a list.
StoreFormats next_release() {
  StoreFormats formats = StoreFormats::of_this_release();
  const EntryReader reader = formats.readers.at(1);
  formats.current = 2;
  formats.readers[2] = reader;
  formats.readers[1] = [reader](std::string_view text) {
    auto entry = reader(text);
    if (entry.ok()) entry->stored.value = "[" + entry->stored.value + "]";
    return entry;
  };
  return formats;
}

TEST(FileStore, TheNextReleaseReadsThisOnesAndTheWayBackIsKept) {
  const StoreFolder folder;
  const uint64_t revision = *opened(folder)->compare_and_put("a", "1", 0);
  const auto before = folder.files();
  const auto later = opened(folder, next_release());
  EXPECT_EQ(value_of(*later, "a"), "[1]");
  ASSERT_TRUE(later->compare_and_put("a", "[1,2]", revision).ok());
  EXPECT_EQ(value_of(*opened(folder, next_release()), "a"), "[1,2]");
  EXPECT_EQ(FileStore::open(folder.path()).status().code(), Code::kFailedPrecondition);

  fs::remove_all(folder.path());
  fs::rename(folder.path() + ".format-1", folder.path());
  EXPECT_EQ(folder.files(), before);
  EXPECT_EQ(value_of(*opened(folder), "a"), "1");

  StoreFormats last = next_release();
  last.readers.erase(1);
  const Status skipped = FileStore::open(folder.path(), last).status();
  EXPECT_EQ(skipped.code(), Code::kFailedPrecondition);
  EXPECT_THAT(skipped.message(), HasSubstr("go through a release in between"));
}

TEST(FileStore, AFolderThatCantBe) {
  const StoreFolder folder;
  StoreFolder::write(folder.path(), "a file");
  const Status status = FileStore::open(folder.path()).status();
  EXPECT_EQ(status.code(), Code::kUnavailable);
  EXPECT_THAT(status.message(), HasSubstr(folder.path()));
}

/// Changes that watches tell, for a test to wait for.
struct Told {
  StateStore::Changed callback() {
    return [this](const std::string& key) {
      MutexLock lock(mutex);
      keys.insert(key);
      changed.notify_all();
    };
  }
  void wait_for(const std::string& key) {
    MutexLock lock(mutex);
    while (!keys.contains(key)) changed.wait(mutex);
  }

  Mutex mutex;
  CondVar changed;
  std::set<std::string> keys MM_GUARDED_BY(mutex);
};

TEST(FileStore, WatchesTellOfEachProcessesChanges) {
  const StoreFolder folder;
  const auto store = opened(folder);
  Told models, all;
  const auto watch = store->watch("models/", models.callback());
  const auto other = store->watch("", all.callback());
  ASSERT_TRUE(watch.ok() && other.ok());
  const uint64_t revision = *store->compare_and_put("models/a", "1", 0);
  models.wait_for("models/a");
  EXPECT_EQ(exit_of(in_child([&] {
              auto own = FileStore::open(folder.path());
              return own.ok() && (*own)->compare_and_put("routes/r", "1", 0).ok() &&
                             (*own)->compare_and_put("models/b", "1", 0).ok()
                         ? 0
                         : 1;
            })),
            0);
  models.wait_for("models/b");
  all.wait_for("models/b");
  {
    MutexLock lock(models.mutex);
    EXPECT_EQ(models.keys, (std::set<std::string>{"models/a", "models/b"}));
    models.keys.clear();
  }
  ASSERT_TRUE(store->compare_and_put("models/a", std::nullopt, revision).ok());
  models.wait_for("models/a");
}

TEST(FileStore, AWatchEndsInItsOwnCallback) {
  const StoreFolder folder;
  const auto store = opened(folder);
  Told told;
  std::unique_ptr<StoreWatch> watch;
  Mutex ready;
  ready.lock();
  watch = *store->watch("", [&](const std::string& key) {
    MutexLock lock(ready);
    watch.reset();
    told.callback()(key);
  });
  ready.unlock();
  const auto other = store->watch("", [](const std::string&) {});
  ASSERT_TRUE(store->compare_and_put("a", "1", 0).ok());
  told.wait_for("a");
  EXPECT_EQ(watch, nullptr);
}

}  // namespace
}  // namespace modelmill
