export { loadForRetrieval, type RetrieverParts } from './folder.ts';
export { imagesIn } from './images.ts';
export { imageVectors } from './look.ts';
export { type CompareOptions, openRetriever, type Retriever } from './retriever.ts';
export { type Found, type Ranking, type Search, type SearchOptions, search } from './search.ts';
