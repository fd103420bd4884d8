// Documents as an app with Relay has them. They are compiled against the schema and then run.
import { graphql } from 'relay-runtime'

export const levels = graphql`
  query appLevelsQuery($merchantId: ID!, $first: Int!, $after: String) {
    ...appLevels_query
  }
`

export const fragment = graphql`
  fragment appLevels_query on Query @refetchable(queryName: "appLevelsPaginationQuery") {
    warehouseLevels(where: { merchantId: $merchantId }, first: $first, after: $after) @connection(key: "app_warehouseLevels") {
      edges {
        node {
          id
          sku
          available
          warehouse { id name }
        }
      }
    }
  }
`

export const node = graphql`
  query appNodeQuery($id: ID!) {
    node(id: $id) {
      id
      ... on Product { sku name }
    }
  }
`

export const rename = graphql`
  mutation appRenameMutation($input: UpdateProductInput!) {
    updateProduct(input: $input) {
      product { id name }
      userErrors { code field message }
    }
  }
`

export const follow = graphql`
  subscription appFollowSubscription($merchantId: ID!) {
    warehouseLevelChanged(merchantId: $merchantId) { id sku available }
  }
`
