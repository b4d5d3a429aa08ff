#include "rollout/route_keeper.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include "base/testing/temp_folder.h"
#include "state/file_store.h"

namespace modelmill {
namespace {

using ::testing::HasSubstr;

RouteDefinition route(const std::string& split, const std::string& name = "reader") {
  return parse_route(R"({"split": )" + split + "}", name).value();
}

const RouteDefinition kOne = route(R"({"m@1": 100})"), kTwo = route(R"({"m@2": 100})"), kThree = route(R"({"m": 100})");

/// A keeper over the model m, which has the versions 1 and 2 and the label stable.
class Keeper {
 public:
  explicit Keeper(StateStore* store)
      : Keeper(store != nullptr ? [store](bool) -> Result<StateStore*> { return store; }
                                : std::function<Result<StateStore*>(bool)>()) {}
  explicit Keeper(std::function<Result<StateStore*>(bool make)> store) {
    auto table = std::make_shared<ModelTable>();
    auto entry = std::make_shared<ModelEntry>();
    entry->name = "m";
    entry->statuses = {{1, VersionState::kReady, ""}, {2, VersionState::kUnavailable, ""}};
    entry->labels = {{"stable", 1}};
    table->put(entry);
    catalog_.publish(table);
    RouteKeeper::Options options;
    options.store = std::move(store);
    options.publish = [this](const std::vector<RouteDefinition>& routes) {
      const std::lock_guard lock(mutex_);
      published_ = routes;
    };
    options.now = [] { return "2026-01-31T12:00:00Z"; };
    keeper_ = std::make_unique<RouteKeeper>(catalog_, std::move(options));
  }
  RouteKeeper* operator->() { return keeper_.get(); }
  std::vector<RouteDefinition> published() const {
    const std::lock_guard lock(mutex_);
    return published_;
  }

 private:
  mutable std::mutex mutex_;
  Catalog catalog_;
  std::vector<RouteDefinition> published_;
  std::unique_ptr<RouteKeeper> keeper_;
};

class RouteKeeperTest : public ::testing::TestWithParam<bool> {
 protected:
  RouteKeeperTest() : store_(FileStore::open(folder_ / "store").value()) {}
  StateStore* store() { return GetParam() ? store_.get() : nullptr; }

  TempFolder folder_;
  std::unique_ptr<FileStore> store_;
};

TEST_P(RouteKeeperTest, ChangesAreInForceAndOnRecord) {
  Keeper keeper(store());
  ASSERT_TRUE(keeper->set(kOne, "me").ok());
  EXPECT_THAT(keeper.published(), ::testing::ElementsAre(kOne));
  ASSERT_TRUE(keeper->set(kOne, "you").ok());  // no change
  const auto history = keeper->set(kTwo, "you");
  ASSERT_TRUE(history.ok());
  ASSERT_EQ(history->changes.size(), 2U);
  EXPECT_EQ(history->changes[0], (RouteChange{1, "2026-01-31T12:00:00Z", "set", "me", 0, kOne}));
  EXPECT_EQ(history->changes[1], (RouteChange{2, "2026-01-31T12:00:00Z", "set", "you", 1, kTwo}));
  ASSERT_TRUE(keeper->remove("reader", "me").ok());
  EXPECT_TRUE(keeper.published().empty());
  EXPECT_TRUE(keeper->list().empty());
  EXPECT_EQ(keeper->history("reader")->changes.size(), 3U);
  EXPECT_EQ(keeper->remove("reader", "me").status().code(), Code::kNotFound);
  EXPECT_EQ(keeper->history("other").status().code(), Code::kNotFound);
}

TEST_P(RouteKeeperTest, UndoGoesFurtherEachTime) {
  Keeper keeper(store());
  for (const RouteDefinition& one : {kOne, kTwo}) ASSERT_TRUE(keeper->set(one, "me").ok());
  ASSERT_TRUE(keeper->remove("reader", "me").ok());
  EXPECT_EQ(keeper->undo("reader", "me")->route(), kTwo);
  EXPECT_EQ(keeper->undo("reader", "me")->route(), kOne);
  ASSERT_TRUE(keeper->set(kThree, "me").ok());
  EXPECT_EQ(keeper->undo("reader", "me")->route(), kOne);  // what was in force before
  EXPECT_EQ(keeper->undo("reader", "me")->route(), std::nullopt);
  EXPECT_EQ(keeper->undo("reader", "me").status().code(), Code::kFailedPrecondition);
  EXPECT_EQ(keeper->undo("other", "me").status().code(), Code::kNotFound);
}

TEST_P(RouteKeeperTest, HistoryIsBounded) {
  Keeper keeper(store());
  for (size_t i = 0; i < RouteDocument::kMostChanges + 5; ++i)
    ASSERT_TRUE(keeper->set(i % 2 == 0 ? kOne : kTwo, "me").ok());
  EXPECT_EQ(keeper->history("reader")->changes.size(), RouteDocument::kMostChanges);
  Status status;
  size_t undone = 0;
  while ((status = keeper->undo("reader", "me").status()).ok()) ++undone;
  EXPECT_GT(undone, RouteDocument::kMostChanges / 3);
  EXPECT_THAT(status.message(), HasSubstr("is forgotten"));
}

TEST_P(RouteKeeperTest, WhatThereIsNotIsRefused) {
  Keeper keeper(store());
  for (const auto& [split, says] : {std::pair{R"({"n": 100})", "no model named 'n'"},
                                    {R"({"m@7": 100})", "has no version 7; its versions: 1, 2"},
                                    {R"({"m@canary": 100})", "no version labelled 'canary'; its labels: stable"}}) {
    const auto done = keeper->set(route(split), "me");
    EXPECT_EQ(done.status().code(), Code::kInvalidArgument);
    EXPECT_THAT(done.status().message(), HasSubstr(says));
  }
  EXPECT_TRUE(keeper->set(route(R"({"m@stable": 50, "m@2": 50})"), "me").ok());
}

TEST_P(RouteKeeperTest, AFileIsHeardWhenItSaysSomethingNew) {
  Keeper keeper(store());
  ASSERT_TRUE(keeper->declare(kOne, "f.yaml").ok());
  ASSERT_TRUE(keeper->declare(kOne, "f.yaml").ok());
  EXPECT_EQ(keeper->history("reader")->changes.size(), 1U);
  ASSERT_TRUE(keeper->set(kTwo, "me").ok());
  ASSERT_TRUE(keeper->declare(kOne, "f.yaml").ok());
  EXPECT_EQ(keeper->history("reader")->route(), kTwo);
  ASSERT_TRUE(keeper->declare(kThree, "f.yaml").ok());
  EXPECT_EQ(keeper->history("reader")->route(), kThree);
  EXPECT_EQ(keeper->history("reader")->changes.back().what, "declare");
}

INSTANTIATE_TEST_SUITE_P(WithAndWithoutStore, RouteKeeperTest, ::testing::Bool());

class KeptRoutes : public ::testing::Test {
 protected:
  TempFolder folder_;
  std::unique_ptr<FileStore> store_ = FileStore::open(folder_ / "store").value();
};

TEST_F(KeptRoutes, AreThereForTheNext) {
  {
    Keeper first(store_.get());
    ASSERT_TRUE(first->set(kOne, "me").ok());
    ASSERT_TRUE(first->set(kTwo, "me").ok());
    ASSERT_TRUE(first->declare(kThree, "f.yaml").ok());
  }
  Keeper second(store_.get());
  ASSERT_TRUE(second->restore().ok());
  EXPECT_THAT(second.published(), ::testing::ElementsAre(kThree));
  ASSERT_TRUE(second->declare(kThree, "f.yaml").ok());
  EXPECT_EQ(second->history("reader")->changes.size(), 3U);
  EXPECT_EQ(second->undo("reader", "me")->route(), kTwo);
}

TEST_F(KeptRoutes, AreFoundOnceAnotherProcessMadeAStore) {
  std::unique_ptr<FileStore> late;  // there is none when the second process starts
  Keeper first(store_.get()), second([&late](bool) -> Result<StateStore*> { return late.get(); });
  ASSERT_TRUE(second->restore().ok());
  ASSERT_TRUE(first->set(kOne, "me").ok());
  second->look_for_store();
  EXPECT_TRUE(second.published().empty());
  late = FileStore::open(folder_ / "store").value();
  second->look_for_store();
  EXPECT_THAT(second.published(), ::testing::ElementsAre(kOne));
  ASSERT_TRUE(first->set(kTwo, "me").ok());
  // Changes are heard of from now on.
  for (int i = 0; i < 6'000 && second.published() != std::vector{kTwo}; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  EXPECT_THAT(second.published(), ::testing::ElementsAre(kTwo));
}

TEST_F(KeptRoutes, AreFoundByAChangeOfOnesOwn) {
  std::unique_ptr<FileStore> late;
  Keeper first(store_.get()), second([&late](bool) -> Result<StateStore*> { return late.get(); });
  ASSERT_TRUE(second->restore().ok());
  ASSERT_TRUE(first->set(kOne, "me").ok());
  late = FileStore::open(folder_ / "store").value();
  const RouteDefinition own = route(R"({"m@2": 100})", "own");
  ASSERT_TRUE(second->set(own, "you").ok());
  EXPECT_THAT(second.published(), ::testing::UnorderedElementsAre(kOne, own));
}

/// Nobody hears of its changes.
class UnwatchedStore final : public StateStore {
 public:
  explicit UnwatchedStore(StateStore& store) : store_(store) {}
  Result<std::optional<StoredValue>> get(const std::string& key) override { return store_.get(key); }
  Result<std::map<std::string, StoredValue>> list(const std::string& prefix) override { return store_.list(prefix); }
  Result<uint64_t> compare_and_put(const std::string& key, const std::optional<std::string>& value,
                                   uint64_t expected) override {
    return store_.compare_and_put(key, value, expected);
  }
  Result<std::unique_ptr<StoreWatch>> watch(const std::string&, Changed) override { return unavailable("no watches"); }
  Result<std::unique_ptr<StoreLease>> acquire(const std::string& name, Duration ttl) override {
    return store_.acquire(name, ttl);
  }

 private:
  StateStore& store_;
};

TEST_F(KeptRoutes, AreReadAtEachLookWhereTheyCantBeWatched) {
  UnwatchedStore unwatched(*store_);
  Keeper first(store_.get()), second(&unwatched);
  ASSERT_TRUE(second->restore().ok());
  for (const RouteDefinition& one : {kOne, kTwo}) {
    ASSERT_TRUE(first->set(one, "me").ok());
    second->look_for_store();
    EXPECT_THAT(second.published(), ::testing::ElementsAre(one));
  }
}

TEST_F(KeptRoutes, OfALaterReleaseAreNotTouched) {
  for (const char* text : {R"({"format": 2})", R"({"format": 1, "history": [], "wings": 2})",
                           R"({"format": 1, "history": [{"number": 1, "at": "", "what": "set", "by": "", "before": 0,
                               "route": {"name": "reader", "split": {"m": 100}, "wings": 2}}]})"}) {
    const auto old = store_->get("routes/reader").value();
    ASSERT_TRUE(store_->compare_and_put("routes/reader", text, old ? old->revision : 0).ok());
    Keeper keeper(store_.get());
    EXPECT_EQ(keeper->restore().code(), Code::kFailedPrecondition) << text;
    EXPECT_FALSE(keeper->set(kOne, "me").ok());
    EXPECT_EQ(store_->get("routes/reader").value()->value, text);
  }
}

TEST(RouteDocument, IsWhatItsTextSays) {
  RouteDocument document;
  document.change("set", "me", "now", kOne);
  document.change("delete", "me", "later", std::nullopt);
  document.declared = kTwo;
  EXPECT_EQ(parse_route_document(route_document_text(document)).value(), document);
  EXPECT_EQ(parse_route_document("{").status().code(), Code::kDataLoss);
}

}  // namespace
}  // namespace modelmill
