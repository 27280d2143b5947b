"""The typed methods of `AsyncClient`: vector stores.

Made by scripts/client_methods.py from the contract in src/weft/wire: edit that instead.
"""
# ruff: noqa: N815  # the contract's names; a method may be called by its operation id
# mypy: disable-error-code="no-any-return"

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

if TYPE_CHECKING:
    from typing import Unpack

    from weft.client.awaiting import AsyncListing
    from weft.client.setting import Options, PostOptions
    from weft.wire.vector_search import VectorStoreSearchRequest, VectorStoreSearchResultsPage
    from weft.wire.vector_stores import (
        CreateVectorStoreFileBatchRequest,
        CreateVectorStoreFileRequest,
        CreateVectorStoreRequest,
        DeleteVectorStoreFileResponse,
        DeleteVectorStoreResponse,
        ListVectorStoreFilesResponse,
        ListVectorStoresResponse,
        UpdateVectorStoreFileAttributesRequest,
        UpdateVectorStoreRequest,
        VectorStoreFileBatchObject,
        VectorStoreFileContentResponse,
        VectorStoreFileObject,
        VectorStoreObject,
    )

Json: TypeAlias = Mapping[str, Any]


class VectorStores:
    """A method for each operation."""

    if TYPE_CHECKING:

        def call(self, operation: str, /, *path: Any, **arguments: Any) -> Any:
            """Call an operation by its id."""

    async def create_vector_store(
        self, *, body: CreateVectorStoreRequest | Json, **options: Unpack[PostOptions]
    ) -> VectorStoreObject:
        """Create a vector store."""
        return await self.call("createVectorStore", body=body, **options)

    def list_vector_stores(
        self,
        *,
        limit: int | None = None,
        order: Literal["asc", "desc"] | None = None,
        after: str | None = None,
        before: str | None = None,
        **options: Unpack[Options],
    ) -> AsyncListing[VectorStoreObject, ListVectorStoresResponse]:
        """List vector stores."""
        return self.call(
            "listVectorStores", limit=limit, order=order, after=after, before=before, **options
        )

    async def get_vector_store(
        self, vector_store_id: str, **options: Unpack[Options]
    ) -> VectorStoreObject:
        """Retrieve a vector store."""
        return await self.call("getVectorStore", vector_store_id, **options)

    async def modify_vector_store(
        self,
        vector_store_id: str,
        *,
        body: UpdateVectorStoreRequest | Json,
        **options: Unpack[PostOptions],
    ) -> VectorStoreObject:
        """Modify a vector store."""
        return await self.call("modifyVectorStore", vector_store_id, body=body, **options)

    async def delete_vector_store(
        self, vector_store_id: str, **options: Unpack[Options]
    ) -> DeleteVectorStoreResponse:
        """Delete a vector store."""
        return await self.call("deleteVectorStore", vector_store_id, **options)

    async def search_vector_store(
        self,
        vector_store_id: str,
        *,
        body: VectorStoreSearchRequest | Json,
        **options: Unpack[PostOptions],
    ) -> VectorStoreSearchResultsPage:
        """Search a vector store."""
        return await self.call("searchVectorStore", vector_store_id, body=body, **options)

    async def create_vector_store_file(
        self,
        vector_store_id: str,
        *,
        body: CreateVectorStoreFileRequest | Json,
        **options: Unpack[PostOptions],
    ) -> VectorStoreFileObject:
        """Put a file into a vector store."""
        return await self.call("createVectorStoreFile", vector_store_id, body=body, **options)

    def list_vector_store_files(
        self,
        vector_store_id: str,
        *,
        limit: int | None = None,
        order: Literal["asc", "desc"] | None = None,
        after: str | None = None,
        before: str | None = None,
        filter: Literal["in_progress", "completed", "failed", "cancelled"] | None = None,
        **options: Unpack[Options],
    ) -> AsyncListing[VectorStoreFileObject, ListVectorStoreFilesResponse]:
        """List the files of a vector store."""
        return self.call(
            "listVectorStoreFiles",
            vector_store_id,
            limit=limit,
            order=order,
            after=after,
            before=before,
            filter=filter,
            **options,
        )

    async def get_vector_store_file(
        self, vector_store_id: str, file_id: str, **options: Unpack[Options]
    ) -> VectorStoreFileObject:
        """Retrieve a file of a vector store."""
        return await self.call("getVectorStoreFile", vector_store_id, file_id, **options)

    async def update_vector_store_file_attributes(
        self,
        vector_store_id: str,
        file_id: str,
        *,
        body: UpdateVectorStoreFileAttributesRequest | Json,
        **options: Unpack[PostOptions],
    ) -> VectorStoreFileObject:
        """Change the attributes of a file."""
        return await self.call(
            "updateVectorStoreFileAttributes", vector_store_id, file_id, body=body, **options
        )

    async def delete_vector_store_file(
        self, vector_store_id: str, file_id: str, **options: Unpack[Options]
    ) -> DeleteVectorStoreFileResponse:
        """Take a file out of a vector store."""
        return await self.call("deleteVectorStoreFile", vector_store_id, file_id, **options)

    async def retrieve_vector_store_file_content(
        self, vector_store_id: str, file_id: str, **options: Unpack[Options]
    ) -> VectorStoreFileContentResponse:
        """Read the text of a file."""
        return await self.call(
            "retrieveVectorStoreFileContent", vector_store_id, file_id, **options
        )

    async def create_vector_store_file_batch(
        self,
        vector_store_id: str,
        *,
        body: CreateVectorStoreFileBatchRequest | Json,
        **options: Unpack[PostOptions],
    ) -> VectorStoreFileBatchObject:
        """Put files into a vector store."""
        return await self.call("createVectorStoreFileBatch", vector_store_id, body=body, **options)

    async def get_vector_store_file_batch(
        self, vector_store_id: str, batch_id: str, **options: Unpack[Options]
    ) -> VectorStoreFileBatchObject:
        """Retrieve a batch of files."""
        return await self.call("getVectorStoreFileBatch", vector_store_id, batch_id, **options)

    async def cancel_vector_store_file_batch(
        self, vector_store_id: str, batch_id: str, **options: Unpack[PostOptions]
    ) -> VectorStoreFileBatchObject:
        """Cancel a batch of files."""
        return await self.call("cancelVectorStoreFileBatch", vector_store_id, batch_id, **options)

    def list_files_in_vector_store_batch(
        self,
        vector_store_id: str,
        batch_id: str,
        *,
        limit: int | None = None,
        order: Literal["asc", "desc"] | None = None,
        after: str | None = None,
        before: str | None = None,
        filter: Literal["in_progress", "completed", "failed", "cancelled"] | None = None,
        **options: Unpack[Options],
    ) -> AsyncListing[VectorStoreFileObject, ListVectorStoreFilesResponse]:
        """List the files of a batch."""
        return self.call(
            "listFilesInVectorStoreBatch",
            vector_store_id,
            batch_id,
            limit=limit,
            order=order,
            after=after,
            before=before,
            filter=filter,
            **options,
        )

    createVectorStore = create_vector_store
    listVectorStores = list_vector_stores
    getVectorStore = get_vector_store
    modifyVectorStore = modify_vector_store
    deleteVectorStore = delete_vector_store
    searchVectorStore = search_vector_store
    createVectorStoreFile = create_vector_store_file
    listVectorStoreFiles = list_vector_store_files
    getVectorStoreFile = get_vector_store_file
    updateVectorStoreFileAttributes = update_vector_store_file_attributes
    deleteVectorStoreFile = delete_vector_store_file
    retrieveVectorStoreFileContent = retrieve_vector_store_file_content
    createVectorStoreFileBatch = create_vector_store_file_batch
    getVectorStoreFileBatch = get_vector_store_file_batch
    cancelVectorStoreFileBatch = cancel_vector_store_file_batch
    listFilesInVectorStoreBatch = list_files_in_vector_store_batch
